//! A local S3 that keeps its objects on disk: `disk-s3 DIRECTORY`.
//!
//! It implements the calls that making and downloading an archive takes, with S3's rules for parts and
//! conditions. It runs as a process of its own, in a release build, so that a benchmark measures its clients.
//!
//! The directory contains `server.pem` and `server-key.pem`. The program prints its addresses as JSON: one
//! behind TLS, whose calls and bytes it counts, and one without TLS for the benchmark itself. At the second
//! one, `PUT /-/objects` adds objects whose content is a file in the directory, and `GET /-/counts` returns
//! and resets the counts. The program ends when its standard input does.

mod body;
mod handler;
mod request;
mod store;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use handler::Handler;
use store::Store;

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the output is the program's interface")]
async fn main() -> Result<()> {
    let directory: PathBuf = std::env::args_os().nth(1).context("usage: disk-s3 DIRECTORY")?.into();
    let certificates =
        CertificateDer::pem_file_iter(directory.join("server.pem"))?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(directory.join("server-key.pem"))?;
    let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(certificates, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(tls));

    let store = Arc::new(Store::new(directory));
    let (counted, uncounted) =
        (TcpListener::bind(("127.0.0.1", 0)).await?, TcpListener::bind(("127.0.0.1", 0)).await?);
    let addresses = json!({
        "counted": format!("https://{}", counted.local_addr()?),
        "uncounted": format!("http://{}", uncounted.local_addr()?),
    });
    println!("{addresses}");
    tokio::spawn(accept(counted, Handler { store: Arc::clone(&store), is_counted: true }, Some(acceptor)));
    tokio::spawn(accept(uncounted, Handler { store, is_counted: false }, None));
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink())).await??;
    Ok(())
}

async fn accept(listener: TcpListener, handler: Handler, acceptor: Option<TlsAcceptor>) {
    while let Ok((connection, _)) = listener.accept().await {
        let (handler, acceptor) = (handler.clone(), acceptor.clone());
        tokio::spawn(async move {
            // A client may close its connection at any time.
            let _ = serve(connection, handler, acceptor).await;
        });
    }
}

async fn serve(connection: TcpStream, handler: Handler, acceptor: Option<TlsAcceptor>) -> Result<()> {
    connection.set_nodelay(true)?;
    let service = service_fn(move |request| {
        let handler = handler.clone();
        async move { Ok::<_, std::convert::Infallible>(handler.handle(request).await) }
    });
    let mut server = http1::Builder::new();
    server.max_buf_size(512 * 1024);
    match acceptor {
        Some(acceptor) => {
            let connection = TokioIo::new(acceptor.accept(connection).await?);
            server.serve_connection(connection, service).await?;
        }
        None => server.serve_connection(TokioIo::new(connection), service).await?,
    }
    Ok(())
}
