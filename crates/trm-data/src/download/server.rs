//! A server for tests of downloads.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How a request is answered.
#[derive(Clone, Copy, PartialEq)]
pub enum Manner {
    /// As it should be.
    Whole,
    /// The connection ends after so many bytes.
    CutAfter(usize),
    /// Always the whole file, whatever part was asked for.
    WithoutRanges,
    /// 416.
    RefusesRanges,
    /// 404.
    Missing,
    /// A page of HTML.
    Page,
    /// The whole file, without saying how long it is.
    WithoutLength,
    /// The file again and again, without saying how long it is.
    Endless,
    /// To the same file below `/moved`.
    Redirect,
}

/// Files by their names, served until the process ends.
pub struct Server {
    pub address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers the first request in the first manner and so on, and all others in the last one.
    pub fn new(files: &[(&str, &[u8])], manners: &[Manner]) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let own = |(name, bytes): &(&str, &[u8])| (name.to_string(), bytes.to_vec());
        let files: Vec<(String, Vec<u8>)> = files.iter().map(own).collect();
        let (manners, seen) = (manners.to_vec(), requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let (path, offset) = read_request(&stream);
                let mut seen = seen.lock().unwrap();
                let manner = manners[seen.len().min(manners.len() - 1)];
                seen.push(match offset {
                    Some(offset) => format!("{path} bytes={offset}-"),
                    None => path.clone(),
                });
                let bytes =
                    files.iter().find(|(name, _)| path.ends_with(name)).map(|(_, b)| &b[..]);
                let _ = answer(stream, &path, bytes, offset, manner); // the other side may be gone
            }
        });
        Server { address, requests }
    }

    /// What was asked for so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// The path, and where the wanted range begins.
fn read_request(stream: &TcpStream) -> (String, Option<usize>) {
    let mut lines = BufReader::new(stream).lines().map(|line| line.unwrap());
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
    let mut offset = None;
    for line in lines.take_while(|line| !line.is_empty()) {
        let range = line.to_lowercase();
        if let Some(range) = range.strip_prefix("range: bytes=") {
            offset = Some(range.trim_end_matches('-').parse().unwrap());
        }
    }
    (path, offset)
}

fn answer(
    mut stream: TcpStream,
    path: &str,
    bytes: Option<&[u8]>,
    offset: Option<usize>,
    manner: Manner,
) -> std::io::Result<()> {
    let from = if manner == Manner::WithoutRanges { 0 } else { offset.unwrap_or(0) };
    let (status, kind, body) = match (manner, bytes) {
        (Manner::Page, _) => ("200 OK", "text/html; charset=utf-8", &b"<html>"[..]),
        (Manner::Missing, _) | (_, None) => ("404 Not Found", "text/plain", &b"no"[..]),
        (Manner::Redirect, _) => ("302 Found", "text/plain", &b""[..]),
        (Manner::RefusesRanges, Some(bytes)) if offset.is_none() => ("200 OK", "text/csv", bytes),
        (_, Some(bytes)) if manner == Manner::RefusesRanges || from > bytes.len() => {
            ("416 Range Not Satisfiable", "text/plain", &b""[..])
        }
        (_, Some(bytes)) if from == 0 => ("200 OK", "text/csv", bytes),
        (_, Some(bytes)) => ("206 Partial Content", "text/csv", &bytes[from..]),
    };
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n")?;
    if !matches!(manner, Manner::WithoutLength | Manner::Endless) {
        write!(stream, "Content-Length: {length}\r\n")?;
    }
    if manner == Manner::Redirect {
        write!(stream, "Location: /moved{path}\r\n")?;
    }
    write!(stream, "Connection: close\r\n\r\n")?;
    match manner {
        Manner::CutAfter(count) => stream.write_all(&body[..count]),
        Manner::Endless => loop {
            stream.write_all(body)?;
        },
        _ => stream.write_all(body),
    }
}
