//! One connection for one call: bollard speaks, we count what comes back and keep the header that it throws away.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bollard::BollardRequest;
use bollard::errors::Error;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Response, Uri};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

/// The most that an engine may say to one question, in bytes. `/info` of a busy one has 10 KiB.
pub(super) const MOST: usize = 4 << 20;
/// A stream (a log, a build) has no end of its own.
pub(super) const UNBOUNDED: usize = usize::MAX;

/// What the reply's head said of the API, for whoever holds the other end.
pub(super) type ApiVersion = Arc<Mutex<Option<String>>>;

/// Carries one request to the socket.
pub(super) async fn carry(
    socket: String,
    request: BollardRequest,
    most: usize,
    api: ApiVersion,
) -> Result<Response<Incoming>, Error> {
    let stream = UnixStream::connect(&socket).await?;
    let (mut sender, connection) = http1::handshake(Bounded { stream, left: most, most }).await?;
    // A command in a container takes the connection over.
    tokio::spawn(connection.with_upgrades());
    let (mut head, body) = request.into_parts();
    // On a socket a request names the path alone; HTTP/1.1 wants a host all the same.
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse::<Uri>()?;
    head.headers.insert(HOST, HeaderValue::from_static("docker"));
    let response = sender.send_request(BollardRequest::from_parts(head, body)).await?;
    let version = response.headers().get("api-version").and_then(|value| value.to_str().ok());
    if let (Some(version), Ok(mut api)) = (version, api.lock()) {
        *api = Some(version.to_owned());
    }
    Ok(response)
}

/// A stream that ends with an error once it has brought more than an engine has to say.
struct Bounded {
    stream: UnixStream,
    left: usize,
    most: usize,
}

impl Read for Bounded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut to: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut room = [0u8; 8 << 10];
        let fits = room.len().min(to.remaining());
        let mut part = ReadBuf::new(&mut room[..fits]);
        match Pin::new(&mut self.stream).poll_read(cx, &mut part) {
            Poll::Ready(Ok(())) => {}
            other => return other,
        }
        let bytes = part.filled();
        let Some(left) = self.left.checked_sub(bytes.len()) else {
            return Poll::Ready(Err(io::Error::other(format!("it said more than {} bytes", self.most))));
        };
        to.put_slice(bytes);
        self.left = left;
        Poll::Ready(Ok(()))
    }
}

impl Write for Bounded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
