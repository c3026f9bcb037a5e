//! Fetching from a server that behaves as servers do, and as they should not.

use super::fetch::{FetchError, FetchSpec, Fetched, FetchedFile, fetch};
use super::testing::{directory, line, zip};
use super::{Part, sha256_of_file};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;
use tempfile::TempDir;

const NAME: &str = "ny00001_uf1.zip";

/// An answer: head lines without their ends, the body, and whether to leave the connection open.
struct Answer {
    head: Vec<String>,
    body: Vec<u8>,
    stall: bool,
}

fn answer(status: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut head = vec![format!("HTTP/1.1 {status}"), "Connection: close".to_owned()];
    head.extend(headers.iter().map(|h| (*h).to_owned()));
    Answer { head, body: body.to_vec(), stall: false }
}

/// 200 with the length announced as `length`.
fn whole(length: usize, body: &[u8]) -> Answer {
    answer("200 OK", &[&format!("Content-Length: {length}"), "ETag: \"v1\""], body)
}

/// 206 with what comes after `start`.
fn rest(start: usize, file: &[u8]) -> Answer {
    let range = format!("Content-Range: bytes {start}-{}/{}", file.len() - 1, file.len());
    let length = format!("Content-Length: {}", file.len() - start);
    answer("206 Partial Content", &[&range, &length, "ETag: \"v1\""], &file[start..])
}

/// Gives each request the next answer; tells the requests' heads.
fn serve(answers: Vec<Answer>) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/sf1/", listener.local_addr().unwrap());
    let (heads, received) = channel();
    thread::spawn(move || {
        for answer in answers {
            respond(listener.accept().unwrap().0, &answer, &heads);
        }
    });
    (url, received)
}

fn respond(mut stream: TcpStream, answer: &Answer, heads: &Sender<String>) {
    let mut head = String::new();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    while !head.ends_with("\r\n\r\n") && lines.read_line(&mut head).unwrap() > 0 {}
    let _ = heads.send(head.to_ascii_lowercase());
    let _ = stream.write_all((answer.head.join("\r\n") + "\r\n\r\n").as_bytes());
    let _ = stream.write_all(&answer.body);
    let _ = stream.flush();
    if answer.stall {
        thread::sleep(Duration::from_secs(5));
    }
}

struct Scene {
    dir: TempDir,
    file: Vec<u8>,
}

impl Scene {
    fn new() -> Self {
        let source = directory();
        let text: String = (1..500).map(|n| line(n, &(n * 7919 % 1000).to_string())).collect();
        let path = zip(source.path(), NAME, &[("ny00001.uf1", text.as_bytes())]);
        Self { dir: directory(), file: fs::read(path).unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn fetch_from(&self, url: &str) -> Result<FetchedFile, FetchError> {
        let mut last = 0;
        let fetched = fetch(&self.spec(url), &mut |progress| {
            assert_eq!(progress.file, NAME);
            assert!(progress.done >= last && progress.total.is_none_or(|total| progress.done <= total));
            last = progress.done;
        });
        fetched.map(|mut files| files.remove(0))
    }

    fn spec(&self, url: &str) -> FetchSpec {
        FetchSpec {
            state: "New York".to_owned(),
            parts: vec![Part::Segment(1)],
            base_url: url.to_owned(),
            dir: self.dir.path().to_owned(),
            timeout: Duration::from_secs(2),
        }
    }

    fn fetch(&self, answers: Vec<Answer>) -> (Result<FetchedFile, FetchError>, Vec<String>) {
        let (url, heads) = serve(answers);
        let result = self.fetch_from(&url);
        (result, heads.try_iter().collect())
    }

    /// A download that was cut after `bytes`.
    fn cut_after(&self, bytes: usize) {
        let (result, _) = self.fetch(vec![whole(self.file.len(), &self.file[..bytes])]);
        assert!(matches!(result, Err(FetchError::Short { .. })), "{result:?}");
        assert_eq!(fs::metadata(self.path("ny00001_uf1.zip.part")).unwrap().len(), bytes as u64);
    }

    /// The file is complete, has its checksum, and nothing else is left.
    fn assert_complete(&self, fetched: &FetchedFile, how: Fetched) {
        assert_eq!(fetched.how, how);
        assert_eq!(fs::read(self.path(NAME)).unwrap(), self.file);
        assert_eq!(fetched.bytes, self.file.len() as u64);
        assert_eq!(fetched.sha256, sha256_of_file(&self.path(NAME)).unwrap());
        let sum = fs::read_to_string(self.path("ny00001_uf1.zip.sha256")).unwrap();
        assert_eq!(sum, format!("{}  {NAME}\n", fetched.sha256));
        assert_eq!(names(self.dir.path()), [NAME, "ny00001_uf1.zip.sha256"]);
    }
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_downloaded_and_its_checksum_kept() {
    let scene = Scene::new();
    let (result, heads) = scene.fetch(vec![whole(scene.file.len(), &scene.file)]);
    scene.assert_complete(&result.unwrap(), Fetched::Downloaded { resumed_from: 0 });
    assert!(heads[0].starts_with("get /sf1/new_york/ny00001_uf1.zip http/1.1"), "{}", heads[0]);
    assert!(!heads[0].contains("range:"));
    let (again, heads) = scene.fetch(vec![]);
    scene.assert_complete(&again.unwrap(), Fetched::AlreadyThere);
    assert!(heads.is_empty());
}

#[test]
fn a_file_of_unknown_length_is_downloaded() {
    let scene = Scene::new();
    let (result, _) = scene.fetch(vec![answer("200 OK", &[], &scene.file)]);
    scene.assert_complete(&result.unwrap(), Fetched::Downloaded { resumed_from: 0 });
}

#[test]
fn a_download_goes_on_where_it_was_cut() {
    let scene = Scene::new();
    scene.cut_after(1000);
    let (result, heads) = scene.fetch(vec![rest(1000, &scene.file)]);
    scene.assert_complete(&result.unwrap(), Fetched::Downloaded { resumed_from: 1000 });
    assert!(heads[0].contains("range: bytes=1000-\r\n"), "{}", heads[0]);
    assert!(heads[0].contains("if-range: \"v1\"\r\n"), "{}", heads[0]);
}

#[test]
fn a_server_that_ignores_ranges_sends_it_all_again() {
    let scene = Scene::new();
    scene.cut_after(1000);
    let (result, _) = scene.fetch(vec![whole(scene.file.len(), &scene.file)]);
    scene.assert_complete(&result.unwrap(), Fetched::Downloaded { resumed_from: 0 });
}

#[test]
fn a_part_of_another_version_is_dropped() {
    let scene = Scene::new();
    for odd in ["bytes 7-20/21", "bytes */21"] {
        scene.cut_after(1000);
        let status = if odd.contains('*') { "416 Range Not Satisfiable" } else { "206 Partial Content" };
        let wrong = answer(status, &[&format!("Content-Range: {odd}"), "Content-Length: 0"], b"");
        let (result, heads) = scene.fetch(vec![wrong, whole(scene.file.len(), &scene.file)]);
        scene.assert_complete(&result.unwrap(), Fetched::Downloaded { resumed_from: 0 });
        assert!(heads[0].contains("range:") && !heads[1].contains("range:"));
        fs::remove_file(scene.path(NAME)).unwrap();
    }
}

#[test]
fn a_part_that_was_complete_is_finished_without_another_byte() {
    let scene = Scene::new();
    fs::write(scene.path("ny00001_uf1.zip.part"), &scene.file).unwrap();
    let range = format!("Content-Range: bytes */{}", scene.file.len());
    let (result, _) = scene.fetch(vec![answer("416 Range Not Satisfiable", &[&range, "Content-Length: 0"], b"")]);
    scene.assert_complete(&result.unwrap(), Fetched::Downloaded { resumed_from: scene.file.len() as u64 });
}

#[test]
fn a_body_that_ends_early_is_said_and_kept() {
    let scene = Scene::new();
    let (result, _) = scene.fetch(vec![whole(scene.file.len(), &scene.file[..500])]);
    let message = result.unwrap_err().to_string();
    let expected = format!("ended after 500 of {} bytes", scene.file.len());
    assert!(message.contains(&expected), "{message}");
    assert_eq!(names(scene.dir.path()), ["ny00001_uf1.zip.part", "ny00001_uf1.zip.part.validator"]);
}

#[test]
fn a_server_that_falls_silent_is_given_up() {
    let scene = Scene::new();
    let silent = Answer { stall: true, ..whole(scene.file.len(), &scene.file[..500]) };
    let (result, _) = scene.fetch(vec![silent]);
    assert!(matches!(result, Err(FetchError::Network { .. })), "{result:?}");
    assert_eq!(fs::metadata(scene.path("ny00001_uf1.zip.part")).unwrap().len(), 500);
}

#[test]
fn refusals_of_the_server_are_told_with_the_address() {
    let scene = Scene::new();
    let (missing, _) = scene.fetch(vec![answer("404 Not Found", &["Content-Length: 4"], b"gone")]);
    let message = missing.unwrap_err().to_string();
    assert!(message.starts_with("http://127.0.0.1:"), "{message}");
    assert!(message.contains("/sf1/New_York/ny00001_uf1.zip: not found on the server"), "{message}");
    let (busy, _) = scene.fetch(vec![answer("503 Service Unavailable", &["Content-Length: 0"], b"")]);
    assert!(busy.unwrap_err().to_string().contains("the server answered 503"));
    let unreachable = scene.fetch_from("http://127.0.0.1:1/").unwrap_err();
    assert!(matches!(unreachable, FetchError::Network { .. }), "{unreachable}");
    assert!(names(scene.dir.path()).is_empty());
}

#[test]
fn wrong_content_is_removed() {
    let scene = Scene::new();
    let other = directory();
    let of_another_state = zip(other.path(), "x.zip", &[("nj00001.uf1", b"")]);
    let damaged = {
        let mut bytes = scene.file.clone();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 9].fill(0);
        bytes
    };
    for content in [b"<html>Welcome</html>".to_vec(), fs::read(of_another_state).unwrap(), damaged] {
        let (result, _) = scene.fetch(vec![whole(content.len(), &content)]);
        assert!(matches!(result, Err(FetchError::WrongContent { .. })), "{result:?}");
        assert!(names(scene.dir.path()).is_empty());
    }
}

#[test]
fn a_file_that_changed_since_is_refused_and_left_alone() {
    let scene = Scene::new();
    fs::write(scene.path(NAME), "mine").unwrap();
    let (no_archive, _) = scene.fetch(vec![]);
    assert!(no_archive.unwrap_err().to_string().contains("is already there but not usable"));
    fs::write(scene.path("ny00001_uf1.zip.sha256"), format!("{}  {NAME}\n", "0".repeat(64))).unwrap();
    let (changed, _) = scene.fetch(vec![]);
    assert!(changed.unwrap_err().to_string().contains("does not match the checksum beside it"));
    assert_eq!(fs::read(scene.path(NAME)).unwrap(), b"mine");
}

#[test]
fn a_file_without_a_checksum_is_checked_and_gets_one() {
    let scene = Scene::new();
    fs::write(scene.path(NAME), &scene.file).unwrap();
    let (result, _) = scene.fetch(vec![]);
    scene.assert_complete(&result.unwrap(), Fetched::AlreadyThere);
}

#[test]
fn an_unknown_state_is_refused() {
    let scene = Scene::new();
    let spec = FetchSpec { state: "atlantis".to_owned(), ..scene.spec("http://127.0.0.1:1/") };
    let message = fetch(&spec, &mut |_| {}).unwrap_err().to_string();
    assert_eq!(message, "\"atlantis\" is no state: use its two letters, such as ny, or its name");
}
