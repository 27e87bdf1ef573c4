//! One connection for one question, to the address that was given and to no other: no proxy, no redirect, no TLS.
//!
//! Nothing runs beside the caller: the connection is moved by whoever waits for the reply, so that dropping a reply (or the
//! future that waits for it) closes the socket there and then.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, Connection};
use hyper::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use serde_json::Value;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::error::{Error, Wait};
use super::server::Server;
use crate::http::Tcp;

/// How long a connection inside one host may take.
const CONNECT: Duration = Duration::from_secs(5);
/// The most that a reply may have, in bytes, where its question says nothing else.
const MOST: usize = 1 << 20;

/// A question.
pub(super) struct Call {
    method: Method,
    path: &'static str,
    body: Option<Value>,
    most: usize,
}

impl Call {
    pub(super) const fn get(path: &'static str) -> Self {
        Self { method: Method::GET, path, body: None, most: MOST }
    }

    pub(super) const fn post(path: &'static str, body: Value) -> Self {
        Self { method: Method::POST, path, body: Some(body), most: MOST }
    }

    /// With a reply of so many bytes at most.
    pub(super) const fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Sends it, and waits for the head of the reply.
    pub(super) async fn send(&self, server: &Server) -> Result<Reply, Error> {
        let stream = connect(server).await?;
        let broke =
            |error: hyper::Error| Error::BrokeOff { server: server.to_string(), why: error.to_string() };
        let (mut sender, line) = http1::Builder::new().handshake(Tcp(stream)).await.map_err(broke)?;
        let body = self.body.as_ref().map(Value::to_string).unwrap_or_default();
        let request = Request::builder()
            .method(self.method.clone())
            .uri(self.path)
            .header(HOST, server.to_string())
            .header(ACCEPT, "application/json, application/x-ndjson, text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .header(CONNECTION, "close")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Error::Address { why: error.to_string() })?;
        let mut line = Line { line: Some(Box::pin(line)) };
        let mut answer = Box::pin(sender.send_request(request));
        let response = poll_fn(|cx| {
            line.advance(cx);
            answer.as_mut().poll(cx)
        });
        let response = response.await.map_err(broke)?;
        Ok(Reply {
            status: response.status().as_u16(),
            body: response.into_body(),
            line,
            left: self.most,
            server: server.to_string(),
        })
    }
}

/// hyper's words, and the system's behind them.
fn reason(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

async fn connect(server: &Server) -> Result<TcpStream, Error> {
    let unreachable =
        |why: &dyn ToString| Error::Unreachable { server: server.to_string(), why: why.to_string() };
    let found = async {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in lookup_host((server.host.as_str(), server.port)).await? {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    };
    let found: io::Result<TcpStream> =
        timeout(CONNECT, found).await.map_err(|_| Error::TimedOut { what: Wait::Server, after: CONNECT })?;
    let stream = found.map_err(|error| unreachable(&error))?;
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// What came back, as far as it has come.
pub(super) struct Reply {
    pub(super) status: u16,
    body: Incoming,
    line: Line,
    left: usize,
    server: String,
}

impl Reply {
    /// The next bytes; `None` at the end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        let broke = |why: String| Error::BrokeOff { server: self.server.clone(), why };
        loop {
            let frame = poll_fn(|cx| {
                self.line.advance(cx);
                Pin::new(&mut self.body).poll_frame(cx)
            });
            let Some(frame) = frame.await else { return Ok(None) };
            let Ok(bytes) = frame.map_err(|error| broke(reason(&error)))?.into_data() else { continue };
            self.left = self
                .left
                .checked_sub(bytes.len())
                .ok_or_else(|| broke("it said more than a server has to say".to_owned()))?;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    /// All that comes.
    pub(super) async fn whole(&mut self) -> Result<Vec<u8>, Error> {
        let mut all = Vec::new();
        while let Some(bytes) = self.piece().await? {
            all.extend_from_slice(&bytes);
        }
        Ok(all)
    }
}

/// hyper's half of the work: moving bytes between the socket and the one who waits.
struct Line {
    line: Option<Pin<Box<Moving>>>,
}

type Moving = Connection<Tcp, Full<Bytes>>;

impl Line {
    /// What goes wrong here is told to the one who waits, too.
    fn advance(&mut self, cx: &mut Context<'_>) {
        if self.line.as_mut().is_some_and(|line| line.as_mut().poll(cx).is_ready()) {
            self.line = None;
        }
    }
}
