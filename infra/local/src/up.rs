//! Starting the whole stack, and stopping it.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;
use std::{io, thread};

use anyhow::{Context, Result, bail};
use axum::Router;
use clap::Args;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::deployment::{self, Config};
use crate::emulator::{Emulator, REGION};
use crate::issuer::{Claims, Issuer};
use crate::mailbox::Mailbox;
use crate::output::Step;
use crate::page::DemoPage;
use crate::paths::{made, source};
use crate::stack::StackInfo;
use crate::{clock, files, python, ticker};

#[derive(Args)]
pub(crate) struct Options {
    /// The emulator's port; a free one otherwise
    #[arg(long)]
    port: Option<u16>,
    /// Deploys to an emulator that runs already, LocalStack or another, and starts none
    #[arg(long, conflicts_with = "port")]
    endpoint: Option<String>,
    /// Also stops when standard input closes, so that a program that starts the stack cannot leave it behind
    #[arg(long)]
    pub(crate) until_stdin_closes: bool,
}

/// Files of sample items, to share at once.
const SAMPLES: [&str; 6] = [
    "jobs/1042/brief.pdf",
    "jobs/1043/Ünï \"a\";b.pdf",
    "jobs/1043/artwork.pdf",
    "jobs/1043/notes <b>.pdf",
    "jobs/1043/غلاف.pdf",
    "assets/7/logo.pdf",
];

/// How many times in a row the emulator may fail to list its mail, twice a second, before it counts as gone.
const PATIENCE: u32 = 20;

/// A stack that was started here.
pub(crate) struct Stack {
    pub(crate) info: StackInfo,
    mailbox: Mailbox,
    token: String,
    emulator: Emulator,
    server: JoinHandle<()>,
    ticker: JoinHandle<()>,
    _lock: File,
}

/// `cargo local up`.
pub(crate) async fn run(options: &Options) -> Result<()> {
    if let Some(stack) = StackInfo::running().await {
        bail!("a stack is running already, at {}", stack.api_url);
    }
    let Some(stack) = until_stopped(options.until_stdin_closes, Stack::start(options)).await.transpose()?
    else {
        return Ok(());
    };
    stack.greet();
    let ended = until_stopped(options.until_stdin_closes, stack.show_mail()).await;
    println!("\nStopping.");
    stack.stop().await;
    ended.unwrap_or(Ok(()))
}

/// Does the work, unless somebody stops us first.
pub(crate) async fn until_stopped<T>(until_stdin_closes: bool, work: impl Future<Output = T>) -> Option<T> {
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
    // In a thread of its own: nothing can end a read, and the runtime does not end before a read of its own.
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        drop(open);
    });
    let _ = closed.await;
}

impl Stack {
    /// Starts everything that there is, and says so on the way.
    pub(crate) async fn start(options: &Options) -> Result<Self> {
        fs::create_dir_all(made(""))?;
        println!("Starting Sharelink on this machine:");
        let lock = lock().await?;
        python::DEPLOY.prepare().await?;
        let emulator = if let Some(endpoint) = &options.endpoint {
            let emulator = Emulator::attach(endpoint).await?;
            deployment::build(emulator.is_ministack).await?;
            emulator
        } else {
            python::EMULATOR.prepare().await?;
            deployment::build(true).await?;
            Emulator::start(options.port).await?
        };
        let (info, mailbox, token, server) = Self::deploy(&emulator).await?;
        let ticker = tokio::spawn(ticker::run(info.clone()));
        Ok(Self { info, mailbox, token, emulator, server, ticker, _lock: lock })
    }

    async fn deploy(emulator: &Emulator) -> Result<(StackInfo, Mailbox, String, JoinHandle<()>)> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let own_url = format!("http://{}", listener.local_addr()?);
        let audience = Config::read()?.parameter("JwtAudience")?.to_owned();
        let issuer = Arc::new(Issuer::new(own_url.clone(), audience.clone())?);
        let mailbox = if emulator.is_ministack { Mailbox::Ministack } else { Mailbox::LocalStack };
        let mailbox = mailbox(emulator.endpoint.clone());
        let page = DemoPage::new(mailbox.clone());
        let routes =
            Arc::clone(&issuer).routes().merge(mailbox.clone().routes()).merge(Arc::clone(&page).routes());
        let server = tokio::spawn(serve(listener, routes));
        clock::reset()?;
        let outputs = deployment::deploy(emulator, &own_url).await?;
        let info = StackInfo {
            api_url: outputs.api_url,
            aws_endpoint_url: emulator.endpoint.clone(),
            region: REGION.into(),
            files_bucket: outputs.files_bucket_name,
            table_name: outputs.table_name,
            issuer: own_url.clone(),
            audience,
            mail_url: format!("{own_url}/mail"),
            clock_file: made("clock"),
        };
        let step = Step::start("uploading sample files");
        for sample in SAMPLES {
            files::upload(&info, sample, fs::read(source("sample/brief.pdf"))?)
                .await
                .context("a sample file")?;
        }
        step.done();
        page.open(&info.api_url);
        info.write()?;
        Ok((info, mailbox, issuer.sign(&Claims::default())?, server))
    }

    /// Says what to try.
    fn greet(&self) {
        let Self { info, token, .. } = self;
        println!(
            "\nReady. See and use all of it in a browser: {page}\n\nThe API is at {api}\nSent mail, as JSON: {mail}\n\n\
             Share a sample file:\n\n\
             TOKEN={token}\ncurl -sS -X POST '{api}/modules/jobs/items/1042/shares' \\\n  \
             -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' \\\n  \
             -d '{{\"recipients\": [\"bob@example.com\"], \"expiresAt\": \"{expiry}\", \"message\": \"Hello\"}}'\n\n\
             The mail will show here, with its link. Ctrl-C stops everything.",
            page = info.issuer,
            api = info.api_url,
            mail = info.mail_url,
            expiry = (chrono::Utc::now() + chrono::TimeDelta::days(7)).format("%Y-%m-%dT17:00:00Z"),
        );
    }

    /// Prints each email as it arrives, for as long as there is an emulator.
    async fn show_mail(&self) -> Result<()> {
        let (mut shown, mut failures) = (0, 0);
        loop {
            let mails = match self.mailbox.mails().await {
                Ok(mails) => {
                    failures = 0;
                    mails
                }
                // A busy emulator may miss one or two.
                Err(_) if failures < PATIENCE => {
                    failures += 1;
                    Vec::new()
                }
                Err(error) => return Err(error.context("the emulator answers no more")),
            };
            for mail in mails.iter().skip(shown) {
                println!("\n── To {}: {}\n{}", mail.to.join(", "), mail.subject, mail.text);
            }
            shown = shown.max(mails.len());
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Stops everything that was started.
    pub(crate) async fn stop(self) {
        StackInfo::remove();
        self.ticker.abort();
        self.server.abort();
        self.emulator.stop().await;
    }
}

/// One stack at a time: they would share what is in `target/local`. One that is stopping is waited for.
async fn lock() -> Result<File> {
    let lock = File::create(made("lock"))?;
    for _ in 0..100 {
        if lock.try_lock().is_ok() {
            return Ok(lock);
        }
        sleep(Duration::from_millis(200)).await;
    }
    bail!("another stack is running or starting")
}

async fn serve(listener: TcpListener, routes: Router) {
    // Ends with the task; a listener that fails is noticed by whoever asks it.
    let _ = axum::serve(listener, routes).await;
}
