//! A case, and what has to hold of every one.

use assert_cmd::Command;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a program may take to refuse something.
const PATIENCE: Duration = Duration::from_secs(10);

/// One bad input.
pub struct Case {
    what: String,
    program: &'static str,
    arguments: Vec<String>,
    files: Vec<(String, Vec<u8>)>,
    stdin: Vec<u8>,
    code: i32,
    says: &'static str,
}

/// A program with its command line, in words.
pub fn case(what: impl Into<String>, command: &str, code: i32, says: &'static str) -> Case {
    let (program, arguments) = command.split_once(' ').unwrap();
    let program = ["lab", "ingester", "link"].into_iter().find(|known| *known == program).unwrap();
    let arguments = arguments.split_whitespace().map(str::to_owned).collect();
    Case { what: what.into(), program, arguments, files: Vec::new(), stdin: Vec::new(), code, says }
}

impl Case {
    /// One more argument, whatever is in it.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// A file in the folder that the program runs in.
    pub fn file(mut self, name: &str, contents: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.into(), contents.into()));
        self
    }

    /// What it gets on standard input.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// What is not as it should be, if something is.
    pub fn wrong(&self) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        self.files.iter().for_each(|(name, contents)| write(&folder.path().join(name), contents));
        let begun = Instant::now();
        let mut command = Command::cargo_bin(self.program).unwrap();
        command.current_dir(folder.path()).env("DOCKER_HOST", "unix:///nowhere.sock").env_remove("INGEST_LAB_DBURL");
        let output = command.args(&self.arguments).write_stdin(self.stdin.clone()).output().unwrap();
        let [told, data] = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let wrong = |why: String| Some(format!("{}: {why}\n  stderr: {told}  stdout: {data}", self.what));
        let obeyed = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
        match output.status.code() {
            code if code != Some(self.code) => wrong(format!("ended with {code:?}, not {}", self.code)),
            _ if !told.contains(self.says) && !data.contains(&json(self.says)) => {
                wrong(format!("lacks {:?}", self.says))
            }
            _ if told.contains("panicked") => wrong("it panicked".into()),
            _ if told.contains(obeyed) => wrong("a terminal would obey it".into()),
            _ if begun.elapsed() > PATIENCE => wrong(format!("took {:.1} s", begun.elapsed().as_secs_f64())),
            _ => None,
        }
    }
}

/// The text as it stands inside a JSON document: what a job's end is told in.
fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

fn write(path: &Path, contents: &[u8]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, contents).unwrap();
}
