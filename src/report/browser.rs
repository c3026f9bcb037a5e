//! The page in a real browser: nothing blank, no word on the console, nobody asked for anything.

use super::across::tests::page as compared;
use super::testing::{quick, report, sweep};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Chromium by one of its names, or as `CHROMIUM` says.
fn chromium() -> Option<PathBuf> {
    if let Some(told) = std::env::var_os("CHROMIUM") {
        return Some(told.into());
    }
    let path = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name))).find(|file| file.is_file())
}

/// What a browser said and showed.
struct Seen {
    console: Vec<String>,
    requests: Vec<String>,
    /// How much of each eighth of the page, from the top, is not plain background.
    ink: Vec<f64>,
}

fn open(browser: &Path, html: &str, dark: bool) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let (page, picture, net) =
        (folder.path().join("report.html"), folder.path().join("page.png"), folder.path().join("net.json"));
    fs_err::write(&page, html).unwrap();
    let mut command = Command::new(browser);
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]);
    command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    command.args(["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--hide-scrollbars"]);
    command.args(["--window-size=1280,2000", "--virtual-time-budget=2000"]);
    if dark {
        command.arg("--force-dark-mode");
    }
    command.arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
    command.arg(format!("--log-net-log={}", net.display())).arg(format!("--screenshot={}", picture.display()));
    let output = command.arg(format!("file://{}", page.display())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(picture.is_file(), "the browser made no picture: {said}");
    Seen {
        console: said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect(),
        requests: requests(&fs_err::read_to_string(&net).unwrap_or_default()),
        ink: ink(&fs_err::read(&picture).unwrap()),
    }
}

/// What the page itself asked for: requests begun by a document, by their URL.
fn requests(log: &str) -> Vec<String> {
    let urls = log.split("\"url\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let outside = urls.filter(|url| url.starts_with("http") && !BROWSERS_OWN.iter().any(|own| url.contains(own)));
    outside.map(str::to_owned).collect()
}

/// Where Chromium itself calls home, whatever it shows. No page of ours could name these hosts: see the test of what
/// the page is made of.
const BROWSERS_OWN: [&str; 3] = ["google.com/", "googleapis.com/", "gvt1.com/"];

/// The part of each eighth of a picture's rows that is not one colour: enough of PNG (8 bits, not interlaced) to know.
/// A row of one colour is nothing but zeros after its first pixel, whatever filter but 0 it has.
fn ink(png: &[u8]) -> Vec<f64> {
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()) as usize;
    let (width, height, pixel) = (number(16), number(20), if png[25] == 6 { 4 } else { 3 });
    let (mut at, mut packed) = (8, Vec::new());
    while at + 8 <= png.len() {
        let length = number(at);
        if &png[at + 4..at + 8] == b"IDAT" {
            packed.extend_from_slice(&png[at + 8..at + 8 + length]);
        }
        at += length + 12;
    }
    let mut rows = Vec::new();
    flate2::read::ZlibDecoder::new(packed.as_slice()).read_to_end(&mut rows).unwrap();
    let is_plain = |row: &[u8]| match row[0] {
        0 => row[1..].chunks(pixel).all(|one| *one == row[1..=pixel]),
        _ => row[1 + pixel..].iter().all(|byte| *byte == 0),
    };
    let plain: Vec<bool> = rows.chunks(1 + width * pixel).map(is_plain).collect();
    assert_eq!(plain.len(), height);
    plain
        .chunks(height / 8)
        .map(|part| part.iter().filter(|plain| !**plain).count() as f64 / part.len() as f64)
        .collect()
}

#[test]
fn in_a_browser_nothing_is_blank_and_nobody_is_asked() {
    let Some(browser) = chromium() else {
        eprintln!("skipped: there is no chromium here (apt-get install chromium, or set CHROMIUM) to open the page in");
        return;
    };
    let [records, of_many] = [quick(), sweep()];
    let pages = [("quick", report(&records).html()), ("sweep", report(&of_many).html()), ("compare", compared())];
    for (name, html) in pages {
        for dark in [false, true] {
            let seen = open(&browser, &html, dark);
            assert_eq!(seen.console, Vec::<String>::new(), "{name}: the console is silent");
            assert_eq!(seen.requests, Vec::<String>::new(), "{name}: nobody is asked");
            // The last eighth of a short page may be below its end.
            assert!(seen.ink[..7].iter().all(|part| *part > 0.2), "{name}: something is blank: {:?}", seen.ink);
        }
    }
    let seen = open(
        &browser,
        "<!DOCTYPE html><script>console.log('a word')</script><img src='http://nobody.invalid/x'>",
        false,
    );
    assert!(!seen.console.is_empty() && !seen.requests.is_empty(), "what is looked for would be seen");
    assert!(seen.ink[2..].iter().all(|part| *part == 0.0), "{:?}", seen.ink);
}
