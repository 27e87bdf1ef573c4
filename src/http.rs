//! A small HTTP/1.1 server for the host's own networks: the worker's health, and the documents' API behind the proxy.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use tokio::io::{AsyncRead as _, AsyncReadExt as _, AsyncWrite as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_local;
use tokio::time::timeout;

/// What is answered.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, io::Error>>;

/// An answer that is there at once.
pub(crate) fn text(status: StatusCode, kind: &'static str, text: impl Into<Bytes>) -> Answer {
    let body = Full::new(text.into()).map_err(|never| match never {}).boxed_unsync();
    shaped(status, kind, body)
}

/// An answer that is a file, read as it is sent: it never stands in memory as a whole.
pub(crate) fn file(kind: &'static str, file: std::fs::File) -> Answer {
    let parts = stream::unfold(file, |mut file| async move {
        let mut part = vec![0; 64 << 10];
        match io::Read::read(&mut file, &mut part) {
            Ok(0) => None,
            Ok(read) => {
                part.truncate(read);
                Some((Ok(Frame::data(Bytes::from(part))), file))
            }
            Err(error) => Some((Err(error), file)),
        }
    });
    shaped(StatusCode::OK, kind, StreamBody::new(parts).boxed_unsync())
}

fn shaped(status: StatusCode, kind: &'static str, body: UnsyncBoxBody<Bytes, io::Error>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

/// Connections at a time; more wait.
const CONNECTIONS: usize = 64;
/// The longest that a connection may last: whoever is slower is cut off.
const LONGEST: Duration = Duration::from_secs(600);

/// Whoever does not say in this time what he wants is cut off.
const HEAD: Duration = Duration::from_secs(10);

/// How long whoever was answered in the middle of his words may go on before he is cut off.
const LINGER: Duration = Duration::from_secs(5);

/// Closes a connection whose peer may still be sending: with bytes left unread the kernel would reset it, and the peer, a
/// proxy for one, may lose the answer that he was given.
async fn linger(mut stream: TcpStream) {
    let _ = timeout(LINGER, async {
        let _ = stream.shutdown().await;
        let mut part = vec![0; 16 << 10];
        while matches!(stream.read(&mut part).await, Ok(1..)) {}
    })
    .await;
}

/// tokio's clock as hyper wants it.
#[derive(Clone)]
struct Timer;

/// One of its waits.
struct Wait(Pin<Box<tokio::time::Sleep>>);

impl hyper::rt::Timer for Timer {
    fn sleep(&self, time: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Wait(Box::pin(tokio::time::sleep(time))))
    }

    fn sleep_until(&self, until: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Wait(Box::pin(tokio::time::sleep_until(until.into()))))
    }
}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl hyper::rt::Sleep for Wait {}

/// Serves until the task is dropped.
pub(crate) async fn serve<F, A>(listener: TcpListener, answer: F)
where
    F: Fn(Request<Incoming>) -> A + 'static,
    A: Future<Output = Answer> + 'static,
{
    serve_until(listener, answer, std::future::pending(), Duration::ZERO).await;
}

/// Serves until `stop`: then nobody new comes in, and whoever is being served has `grace` to the end of his answer.
pub(crate) async fn serve_until<F, A>(
    listener: TcpListener,
    answer: F,
    stop: impl Future<Output = ()>,
    grace: Duration,
) where
    F: Fn(Request<Incoming>) -> A + 'static,
    A: Future<Output = Answer> + 'static,
{
    let answer = Rc::new(answer);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let (ending, told) = watch::channel(false);
    tokio::select! {
        () = accept(listener, answer, Arc::clone(&room), told) => {}
        () = stop => {}
    }
    ending.send_replace(true);
    // All places are free when the last one has gone.
    let _ = timeout(grace, room.acquire_many(u32::try_from(CONNECTIONS).unwrap_or(u32::MAX))).await;
}

async fn accept<F, A>(
    listener: TcpListener,
    answer: Rc<F>,
    room: Arc<Semaphore>,
    ending: watch::Receiver<bool>,
) where
    F: Fn(Request<Incoming>) -> A + 'static,
    A: Future<Output = Answer> + 'static,
{
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // No file descriptor left, or the peer went away: neither is for ever.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (answer, mut ending) = (Rc::clone(&answer), ending.clone());
        spawn_local(async move {
            let service = service_fn(move |request| {
                let answer = answer(request);
                Box::pin(async move { Ok::<_, std::convert::Infallible>(answer.await) })
            });
            let mut connection = http1::Builder::new()
                .timer(Timer)
                .header_read_timeout(HEAD)
                .keep_alive(true)
                .max_buf_size(32 << 10)
                .serve_connection(Tcp(stream), service);
            let served = async {
                tokio::select! {
                    ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => return ended,
                    _ = ending.wait_for(|ending| *ending) => {}
                }
                Pin::new(&mut connection).graceful_shutdown();
                poll_fn(|cx| connection.poll_without_shutdown(cx)).await
            };
            if let Ok(Ok(())) = timeout(LONGEST, served).await {
                linger(connection.into_parts().io.0).await;
            }
            drop(place);
        });
    }
}

/// tokio's stream as hyper wants it.
pub(crate) struct Tcp(pub(crate) TcpStream);

impl Read for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut to: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut room = [0u8; 16 << 10];
        let fits = room.len().min(to.remaining());
        let mut part = ReadBuf::new(&mut room[..fits]);
        match Pin::new(&mut self.0).poll_read(cx, &mut part) {
            Poll::Ready(Ok(())) => {}
            other => return other,
        }
        to.put_slice(part.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Tcp {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
