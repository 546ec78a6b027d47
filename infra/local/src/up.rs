//! Starts and stops the whole stack.

use std::fs::{self, File};
use std::os::unix::process::parent_id;
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio::try_join;

use crate::deployment::{self, Config, DeployedEnvironment, Host};
use crate::emulator::{Emulator, REGION};
use crate::issuer::{Claims, Issuer};
use crate::lock::lock;
use crate::mailbox::Mailbox;
use crate::output::Step;
use crate::page::DemoPage;
use crate::paths::{source, target};
use crate::stack::StackInfo;
use crate::{clock, files, functions, python, ttl};

#[derive(Args)]
pub(crate) struct Options {
    /// The emulator's port; by default, any free port
    #[arg(long)]
    port: Option<u16>,
    /// Deploys to a running emulator, such as `LocalStack`, instead of starting one
    #[arg(long, conflicts_with = "port")]
    endpoint: Option<String>,
    /// The environment in samconfig.toml to deploy
    #[arg(long, value_enum, default_value_t)]
    pub(crate) environment: DeployedEnvironment,
    /// Also stops when standard input closes, so that the program that started the stack cannot leave it
    /// running
    #[arg(long)]
    pub(crate) until_stdin_closes: bool,
}

/// The sample items' modules, names and files.
const SAMPLES: [(&str, &str, &str); 6] = [
    ("jobs", "1042", "brief.pdf"),
    ("jobs", "1043", "Ünï \"a\";b.pdf"),
    ("jobs", "1043", "artwork.pdf"),
    ("jobs", "1043", "notes <b>.pdf"),
    ("jobs", "1043", "غلاف.pdf"),
    ("assets", "7", "logo.pdf"),
];

/// Time between requests for the list of sent emails.
const MAIL_INTERVAL: Duration = Duration::from_millis(500);

/// Maximum number of consecutive failures to list the emails. A busy emulator may fail a few times; after
/// more failures, it is assumed to have stopped.
const MAX_MAIL_FAILURES: u32 = 20;

/// Time allowed for another stack, which may be stopping, to release its lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// A stack that this process started.
pub(crate) struct Stack {
    pub(crate) info: StackInfo,
    mailbox: Mailbox,
    token: String,
    emulator: Emulator,
    server: JoinHandle<()>,
    ttl: JoinHandle<()>,
    _lock: File,
}

/// Runs `cargo local up`.
pub(crate) async fn run(options: &Options) -> Result<()> {
    if let Some(stack) = StackInfo::find_running().await {
        bail!("a stack is already running at {}", stack.api_url);
    }
    let Some(started) = unless_stopped(options.until_stdin_closes, Stack::start(options)).await else {
        return Ok(());
    };
    let stack = started?;
    stack.print_instructions();
    let ended = unless_stopped(options.until_stdin_closes, stack.print_emails()).await;
    println!("\nStopping.");
    stack.stop().await;
    ended.unwrap_or(Ok(()))
}

/// Runs the work to completion. Returns `None` if a signal, or the end of standard input, stops it first.
pub(crate) async fn unless_stopped<T>(until_stdin_closes: bool, work: impl Future<Output = T>) -> Option<T> {
    let stopped = async {
        let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = stdin_closed(), if until_stdin_closes => {}
        }
    };
    tokio::select! {
        done = work => Some(done),
        () = stopped => None,
    }
}

async fn stdin_closed() {
    let (open, closed) = oneshot::channel::<()>();
    // Use a plain thread. A blocking read cannot be canceled, and on exit, the runtime waits for its threads.
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(open);
    });
    let _ = closed.await;
}

impl Stack {
    /// Starts the whole stack and prints progress messages.
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        println!("Starting Sharelink on this machine:");
        let lock =
            timeout(LOCK_TIMEOUT, lock("lock")).await.context("another stack is running or starting")??;
        let emulator = if let Some(endpoint) = &options.endpoint {
            let emulator = Emulator::attach(endpoint).await?;
            build(emulator.host()).await?;
            emulator
        } else {
            try_join!(build(Host::ThisMachine), python::EMULATOR.prepare())?;
            Emulator::start(options.port).await?
        };
        let (info, mailbox, token, server) = Self::deploy(&emulator, options).await?;
        let ttl = tokio::spawn(ttl::run(info.clone()));
        Ok(Self { info, mailbox, token, emulator, server, ttl, _lock: lock })
    }

    async fn deploy(
        emulator: &Emulator,
        options: &Options,
    ) -> Result<(StackInfo, Mailbox, String, JoinHandle<()>)> {
        let environment = options.environment;
        let config = Config::read(environment)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let own_address = listener.local_addr()?;
        let own_url = format!("http://{own_address}");
        let audience = config.parameter("JwtAudience")?.to_owned();
        let issuer = Arc::new(Issuer::new(own_url.clone(), audience.clone())?);
        let mailbox = emulator.mailbox()?;
        let page = DemoPage::new(mailbox.clone());
        let routes =
            Arc::clone(&issuer).routes().merge(mailbox.clone().routes()).merge(Arc::clone(&page).routes());
        let hosts = [own_address.to_string(), format!("localhost:{}", own_address.port())];
        let routes = routes.layer(from_fn(move |request, next| require_host(hosts.clone(), request, next)));
        let server = tokio::spawn(serve(listener, routes));
        clock::reset()?;
        let outputs = deployment::deploy(emulator, environment, &config, &own_url).await?;
        let info = StackInfo {
            environment: environment.name().into(),
            api_url: outputs.api_url,
            aws_endpoint_url: emulator.endpoint.clone(),
            region: REGION.into(),
            credentials: emulator.credentials.clone(),
            files_bucket: outputs.files_bucket_name,
            file_key_pattern: config.file_key_pattern(),
            document_key_pattern: config.document_key_pattern(),
            table_name: outputs.table_name,
            log_table_name: outputs.log_table_name,
            issuer: own_url.clone(),
            audience,
            mail_url: format!("{own_url}/mail"),
            clock_file: target("clock"),
            owner: options.until_stdin_closes.then(parent_id),
        };
        let step = Step::start("uploading sample files");
        for (module, item, file) in SAMPLES {
            files::upload(&info, module, item, file, fs::read(source("sample/brief.pdf"))?)
                .await
                .context("cannot upload a sample file")?;
        }
        step.done();
        page.set_api_url(&info.api_url);
        info.write()?;
        Ok((info, mailbox, issuer.sign(&Claims::default())?, server))
    }

    /// Prints the running stack's addresses and an example request.
    fn print_instructions(&self) {
        let Self { info, token, .. } = self;
        println!(
            "\nReady. Open the demo page in a browser: {page}\n\nAPI: {api}\nSent emails, as JSON: {mail}\n\n\
             Share a sample file:\n\n\
             TOKEN={token}\ncurl -sS -X POST '{api}/modules/jobs/items/1042/shares' \\\n  \
             -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n  \
             -d '{{\"recipients\": [\"bob@example.com\"], \"expiresAt\": \"{expiry}\", \"message\": \"Hello\"}}'\n\n\
             The email, with its link, appears here. Ctrl-C stops everything.",
            page = info.issuer,
            api = info.api_url,
            mail = info.mail_url,
            expiry = (chrono::Utc::now() + chrono::TimeDelta::days(7)).format("%Y-%m-%dT17:00:00Z"),
        );
    }

    /// Prints each email as it arrives, until the emulator stops responding.
    async fn print_emails(&self) -> Result<()> {
        let (mut printed, mut failures) = (0, 0);
        loop {
            let emails = match self.mailbox.emails().await {
                Ok(emails) => {
                    failures = 0;
                    emails
                }
                Err(_) if failures < MAX_MAIL_FAILURES => {
                    failures += 1;
                    Vec::new()
                }
                Err(error) => return Err(error.context("the emulator no longer responds")),
            };
            for email in emails.iter().skip(printed) {
                println!("\n── To {}: {}\n{}", email.to.join(", "), email.subject, email.text);
            }
            printed = printed.max(emails.len());
            sleep(MAIL_INTERVAL).await;
        }
    }

    /// Stops everything that `start` started.
    pub(crate) async fn stop(self) {
        StackInfo::remove();
        self.ttl.abort();
        self.server.abort();
        self.emulator.stop().await;
    }
}

/// Builds the deployment. The functions compile while the tools are installed.
async fn build(host: Host) -> Result<()> {
    let compile = async {
        match host {
            Host::ThisMachine => functions::compile().await,
            // `sam build` compiles the functions, with zig.
            Host::Container => Ok(()),
        }
    };
    let tools = host.tools();
    try_join!(tools.prepare(), compile)?;
    deployment::build(host).await
}

/// Rejects requests for another host: a web page whose host name resolves to this machine sends them, and
/// could read the responses, which contain tokens and links.
async fn require_host(hosts: [String; 2], request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).map(HeaderValue::as_bytes);
    if hosts.iter().any(|expected| host == Some(expected.as_bytes())) {
        next.run(request).await
    } else {
        StatusCode::MISDIRECTED_REQUEST.into_response()
    }
}

async fn serve(listener: TcpListener, routes: Router) {
    // This runs until the task is aborted. If the listener fails, the caller sees failed requests.
    let _ = axum::serve(listener, routes).await;
}
