//! `POST /write`, `GET /settings` and `GET /seen`.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use super::Shared;

const SETTINGS: &str = r#"{"config":{"release.type":"OSS","release.version":"9.3.4","line.proto.support.versions":[1,2,3],"ilp.proto.transports":["tcp","http"],"cairo.max.file.name.length":127},"preferences.version":0,"preferences":{}}"#;

pub(super) fn serve(stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::with_capacity(256 * 1024, stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let (mut length, mut close) = (0_u64, false);
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else {
                break;
            };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or(0);
            }
            close |= name.eq_ignore_ascii_case("connection") && value.contains("close");
        }
        body.clear();
        (&mut reader).take(length).read_to_end(&mut body)?;
        match path.split('?').next() {
            Some("/settings") => answer(&mut writer, SETTINGS)?,
            Some("/seen") => answer(&mut writer, &shared.take())?,
            _ => {
                shared.change(|seen| seen.sum.add(&body));
                writer.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")?;
            }
        }
        if close {
            return Ok(());
        }
    }
}

fn answer(writer: &mut TcpStream, body: &str) -> io::Result<()> {
    let head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length:";
    writer.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes())
}
