//! A proxy that loses answers: the request has been done, and nobody hears of it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

/// Stands before a server, until the test's runtime ends.
pub(crate) struct Proxy {
    pub(crate) url: String,
    losses: Arc<Mutex<Vec<Loss>>>,
}

/// Which answers are lost: those to requests that have this in their head or body.
struct Loss {
    marks: Vec<String>,
    left: usize,
}

impl Proxy {
    pub(crate) async fn before(upstream: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let losses = Arc::new(Mutex::new(Vec::new()));
        let forward = Forward {
            client: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
            upstream: upstream.to_owned(),
            losses: Arc::clone(&losses),
        };
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, forward.clone()));
            }
        });
        Self { url, losses }
    }

    /// Loses the next answers to requests that have all of these marks.
    pub(crate) fn lose(&self, count: usize, marks: &[&str]) {
        let marks = marks.iter().map(|mark| (*mark).to_owned()).collect();
        self.losses.lock().unwrap().push(Loss { marks, left: count });
    }

    /// How many answers are still to be lost.
    pub(crate) fn left(&self) -> usize {
        self.losses.lock().unwrap().iter().map(|loss| loss.left).sum()
    }
}

#[derive(Clone)]
struct Forward {
    client: reqwest::Client,
    upstream: String,
    losses: Arc<Mutex<Vec<Loss>>>,
}

/// Makes the server hang up.
#[derive(Debug)]
struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer is lost")
    }
}

impl std::error::Error for Lost {}

async fn serve(connection: TcpStream, forward: Forward) -> Result<(), Infallible> {
    let service = service_fn(|request| forward.forward(request));
    // Hanging up is what it is for.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
    Ok(())
}

impl Forward {
    async fn forward(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Lost> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Lost)?.to_bytes();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let upstream = self.client.request(head.method.clone(), format!("{}{path}", self.upstream));
        let answer =
            upstream.headers(head.headers.clone()).body(body.clone()).send().await.map_err(|_| Lost)?;
        let mut forwarded = Response::builder().status(answer.status());
        forwarded.headers_mut().unwrap().extend(answer.headers().clone());
        // The body is whole by then, however it came.
        forwarded.headers_mut().unwrap().remove("transfer-encoding");
        let bytes = answer.bytes().await.map_err(|_| Lost)?;
        if self.loses(&format!("{path} {head:?} {}", String::from_utf8_lossy(&body))) {
            return Err(Lost);
        }
        Ok(forwarded.body(Full::new(bytes)).unwrap())
    }

    fn loses(&self, request: &str) -> bool {
        let mut losses = self.losses.lock().unwrap();
        let mut due = losses
            .iter_mut()
            .filter(|loss| loss.left > 0 && loss.marks.iter().all(|mark| request.contains(mark)));
        due.next().map(|loss| loss.left -= 1).is_some()
    }
}
