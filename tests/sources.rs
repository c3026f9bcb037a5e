//! What counts as a change of the sources, and what of it is passed on: docker/sources.sh, in a repository of its own.
#![allow(clippy::unwrap_used)] // in a test, a panic with its line is the message

use std::fs;
use std::path::Path;
use std::process::Command;

/// A database that nobody else needs to hear of.
const PRIVATE: &str = "postgres://ada@db.example.org/app";

struct Repository(tempfile::TempDir);

impl Repository {
    /// With one commit; none where there is no git.
    fn new() -> Option<Self> {
        if Command::new("git").arg("--version").output().is_err() {
            eprintln!("SKIPPED: there is no git here to ask what has changed");
            return None;
        }
        let repository = Self(tempfile::tempdir().unwrap());
        repository.write("src/lib.rs", "//! One.\n");
        repository.write("README.md", "One.\n");
        repository.write("experiments/links.toml", "[local]\n");
        let ignored = Path::new(env!("CARGO_MANIFEST_DIR")).join(".gitignore");
        repository.write(".gitignore", &fs::read_to_string(ignored).unwrap());
        repository.run("git", &["init", "--quiet"]);
        repository.run("git", &["add", "--all"]);
        repository.run("git", &["commit", "--quiet", "--message", "One"]);
        Some(repository)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.0.path()).env("GIT_CONFIG_GLOBAL", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@example.org");
        }
        for hook in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(hook);
        }
        let done = command.output().unwrap();
        assert!(done.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }

    /// What a function of the script says.
    fn said(&self, function: &str) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/docker/sources.sh");
        self.run("bash", &["-c", &format!("set -euo pipefail; . \"$0\"; {function}"), script])
    }

    fn is_clean(&self) -> bool {
        let (revision, head) = (self.said("revision"), self.run("git", &["rev-parse", "HEAD"]));
        if revision == head {
            assert_eq!(self.said("difference"), "", "what is clean has no difference");
            return true;
        }
        assert_eq!(revision.trim(), format!("{}-dirty", head.trim()));
        assert_ne!(self.said("difference"), "", "what is not clean has one");
        false
    }
}

#[test]
fn what_the_docs_leave_in_a_clone_is_no_change_of_its_sources() {
    let Some(repository) = Repository::new() else { return };
    assert!(repository.is_clean());
    for name in ["2026-11-20-quick.zip", "report.html", "compare.html", "gate.md"] {
        repository.write(name, "of a series");
    }
    assert_eq!(repository.run("git", &["status", "--porcelain"]), "", "all of it is ignored");
    repository.write("notes.txt", "mine");
    repository.write("experiments/mine.toml", &format!("[database]\nurl = \"{PRIVATE}\"\n"));
    repository.write("experiments/links.toml", "[local]\n[office]\n");
    assert!(repository.is_clean(), "a series keeps its experiment and its links");
}

#[test]
fn what_is_built_from_more_than_a_commit_says_so_and_passes_on_that_alone() {
    for (name, text) in [("src/new.rs", "//! Two.\n"), ("README.md", "Two.\n"), ("docker/a b.sh", "two\n")] {
        let Some(repository) = Repository::new() else { return };
        repository.write(name, text);
        repository.write("notes.txt", PRIVATE);
        repository.write("experiments/mine.toml", PRIVATE);
        assert!(!repository.is_clean(), "{name}");
        let difference = repository.said("difference");
        assert!(difference.contains(name) && difference.contains(&format!("+{text}")), "{difference}");
        assert_eq!(difference.matches("diff --git ").count(), 1, "{difference}");
        assert!(!difference.contains(PRIVATE), "{difference}");
        assert_eq!(repository.run("git", &["diff", "--cached", "--name-only"]), "", "nothing is staged by it");
    }
}

#[test]
fn without_git_the_revision_is_not_known_and_there_is_no_difference() {
    let Some(repository) = Repository::new() else { return };
    fs::remove_dir_all(repository.0.path().join(".git")).unwrap();
    assert_eq!((repository.said("revision").as_str(), repository.said("difference").as_str()), ("unknown\n", ""));
}
