//! The HTTP port of `--http`: three pages, to be read by supervisors and scrapers.
//!
//! | path | answer |
//! |---|---|
//! | `/healthz` | 200 unless a restart would help |
//! | `/readyz` | 200 while new clients would be answered |
//! | `/metrics` | what Prometheus reads |

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use super::health::{self, Health};
use super::{Window, metrics};
use crate::error::{Code, Error, Result};
use crate::life::Phase;

/// Most connections at once; more wait to be accepted.
const MAX_CONNECTIONS: usize = 64;
/// How long a peer may take to send its request, also between two on one connection.
const HEADER_PATIENCE: Duration = Duration::from_secs(30);

/// Listens, and answers from a thread of its own. Answers the address with the real port.
///
/// # Errors
/// `START` when the address cannot be bound or there is no thread.
pub fn start(address: SocketAddr, window: Arc<Window>) -> Result<SocketAddr> {
    let failed = |why: String| {
        let message = format!("cannot answer HTTP on {address}");
        let hint = "choose another --http, such as 127.0.0.1:9180";
        Error::new(Code::Start, message, why, hint)
    };
    let listener = TcpListener::bind(address).map_err(|error| failed(error.to_string()))?;
    let bound = listener.local_addr().map_err(|error| failed(error.to_string()))?;
    listener.set_nonblocking(true).map_err(|error| failed(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    let serve = move || LocalSet::new().block_on(&runtime, accept(listener, window));
    let thread = std::thread::Builder::new().name("http".to_owned()).spawn(serve);
    thread.map_err(|error| failed(error.to_string()))?;
    Ok(bound)
}

async fn accept(listener: TcpListener, window: Arc<Window>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(verb = "http", %error, "cannot accept"),
    };
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = Arc::clone(&places).acquire_owned().await;
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(verb = "http", %error, "accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let window = Arc::clone(&window);
        tokio::task::spawn_local(async move {
            let answer = service_fn(|request| answer(&window, request));
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEADER_PATIENCE);
            // A peer that breaks off is its own affair.
            let _ = http.serve_connection(TokioIo::new(stream), answer).await;
            drop(place);
        });
    }
}

type Answer = Response<Full<Bytes>>;

async fn answer(
    window: &Window,
    request: Request<Incoming>,
) -> std::result::Result<Answer, Infallible> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, "this port only tells: use GET\n");
        refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Ok(refused);
    }
    // What is asked of the control thread before it is there would count as silence.
    let seen = match window.life.phase() {
        Phase::Starting => None,
        Phase::Serving | Phase::Stopping => window.look().await,
    };
    Ok(match request.uri().path() {
        "/healthz" => probe(&health::alive(window.life.phase(), seen.as_deref())),
        "/readyz" => {
            probe(&health::ready(window.life.phase(), &window.life.far(), seen.as_deref()))
        }
        "/metrics" => {
            let seen = seen.unwrap_or_default();
            let body = metrics::text(window, &seen);
            let mut page = text(StatusCode::OK, body);
            let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
            page.headers_mut().insert(CONTENT_TYPE, kind);
            page
        }
        "/" => text(StatusCode::OK, "hotshell: /healthz /readyz /metrics\n"),
        _ => text(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n"),
    })
}

fn probe(health: &Health) -> Answer {
    let status = if health.good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    text(status, health.lines.join("\n") + "\n")
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
