//! `serve`: brings a host up in one order, and down in another.
//!
//! Up: configuration, admin socket (a live one is refused before anything is loaded), signals,
//! loader, and per server its plugin and its engine. Down: loads are cancelled, engines stop
//! gracefully, the socket goes.

use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::admin::{self, Access, Claim};
use crate::config::{Config, LogFormat, ServerConfig};
use crate::control::{Control, Loads, Server};
use crate::data::Folder;
use crate::error::{Code, Error, Result};
use crate::generation::Artifact;
use crate::life::Phase;
use crate::limits::WATCHDOG_PERIOD;
use crate::observe::{self, Window, systemd};
use crate::start::Places;
use crate::{logging, signals, stage, start, watch};

/// Runs the configured servers until they are asked to stop.
///
/// The calling thread only waits; the host lives on the control thread.
///
/// # Errors
/// `START` and the loader's refusals: then nothing serves.
pub fn serve(config: Config) -> Result<ExitCode> {
    crate::heap::stay_small();
    logging::start(&config.host);
    let failed = |why: String| {
        Error::new(
            Code::Internal,
            "the control thread failed",
            why,
            "look at the log and report it",
        )
    };
    let thread = std::thread::Builder::new().name("control".to_owned());
    let control = thread.spawn(move || on_control_thread(config));
    let control = control.map_err(|error| failed(error.to_string()))?;
    control.join().map_err(|_| failed("it panicked".to_owned()))?
}

fn on_control_thread(config: Config) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        let hint = "raise the limits of open files and threads";
        Error::new(Code::Start, "cannot start the control thread", error.to_string(), hint)
    })?;
    LocalSet::new().block_on(&runtime, host(config))
}

async fn host(config: Config) -> Result<ExitCode> {
    let gid = config.host.admin_group.as_deref().map(admin::group_id).transpose()?;
    let early = early_claim(&config, gid)?;
    let folder = config.host.data.as_deref().map(Folder::open).transpose()?;
    let mut signals = signals::Signals::new()?;
    let window = Arc::new(Window::default());
    let http =
        config.host.http.map(|http| observe::start(http, Arc::clone(&window))).transpose()?;
    let (stage, patience) = (config.host.stage_dir.as_deref(), config.host.vet_timeout);
    let loads = Loads::from_loader(stage::loader(stage, patience)?);
    let (ring, mut rung) = mpsc::unbounded_channel();
    let control = Control::new(Arc::clone(&window.life), loads.clone(), ring.clone());
    let access = Access { uid: rustix::process::geteuid().as_raw(), gid };
    let let_admins_in = |claim: &mut Claim| {
        let accepting = admin::accept(claim.listener()?, access, control.clone());
        tokio::task::spawn_local(accepting);
        Ok(())
    };
    let mut claim = early;
    claim.as_mut().map(let_admins_in).transpose()?;
    let admin = config.host.admin.as_deref().and_then(Path::parent);
    let beside = admin.map_or_else(admin::path::default_folder, Path::to_owned);
    let places = Places { data: folder.as_ref(), beside: &beside };
    let starting = start_all(&config.servers, places, &loads, &ring, &window);
    let on_terminal = config.host.log_format == LogFormat::Human;
    let servers = tokio::select! {
        servers = starting => servers?,
        never = observe::show(&window.life, on_terminal) => match never {},
        () = signals.stop() => return Ok(ExitCode::SUCCESS),
        _ = rung.recv() => return Ok(ExitCode::SUCCESS),
    };
    let claim = match claim {
        Some(claim) => claim,
        None => {
            let path = admin::path::default_path(servers[0].handle.listen.port());
            let mut claim = Claim::new(&path, gid)?;
            let_admins_in(&mut claim)?;
            claim
        }
    };
    control.serve(servers);
    crate::control::listen(&control);
    tokio::task::spawn_local(crate::control::watchdog::run(
        control.clone(),
        config.host.stuck_abort,
    ));
    for server in &config.servers {
        announce(&control, server, &claim, config.host.log_format);
        if server.watch {
            watch::start(control.clone(), &server.name, &server.plugin)?;
        }
    }
    window.open(Rc::clone(&control));
    if let Some(http) = http {
        tracing::info!(verb = "http", "http://{http}/healthz /readyz /metrics");
    }
    systemd::ready();
    tokio::task::spawn_local(systemd::run(Rc::clone(&control)));
    if folder.is_none() {
        tracing::info!(verb = "serve", "the data are in memory only: --data DIR keeps them");
    }
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                signals::Asked::Reload => signals::reload(&control),
                signals::Asked::Stop => break,
            },
            _ = rung.recv() => break,
        }
    }
    window.life.enter(Phase::Stopping);
    systemd::stopping();
    stop(&control, &mut signals).await;
    Ok(ExitCode::SUCCESS)
}

/// The claim on the admin socket, before anything is loaded. Without a configured path and with a
/// port that the system chooses, its name is not known yet, and nobody else can have that port
/// either.
fn early_claim(config: &Config, gid: Option<u32>) -> Result<Option<Claim>> {
    let port = config.servers[0].listen.port();
    match &config.host.admin {
        Some(path) => Claim::new(path, gid).map(Some),
        None if port == 0 => Ok(None),
        None => Claim::new(&admin::path::default_path(port), gid).map(Some),
    }
}

async fn start_all(
    configs: &[ServerConfig],
    places: Places<'_>,
    loads: &Loads,
    ring: &mpsc::UnboundedSender<()>,
    window: &Window,
) -> Result<Vec<Server>> {
    let mut servers = Vec::new();
    for config in configs {
        servers.push(start::server(config, places, loads, ring.clone(), window).await?);
    }
    Ok(servers)
}

/// Says that a server is ready: to scripts on standard output, and to the log.
fn announce(control: &Control, config: &ServerConfig, claim: &Claim, format: LogFormat) {
    let server = control.server(Some(&config.name)).expect("every configured server was started");
    let registry = server.registry.borrow();
    let active = registry.active();
    let (Artifact { plugin, version, .. }, number) = (&active.artifact, active.number);
    let (name, listen, admin) = (&server.name, server.handle.listen, claim.path.display());
    let line = format!(
        "{name} listening on {listen}, plugin {plugin} {version} (generation {number}), admin {admin}"
    );
    crate::stdout::print(&format!("serve: {line}"));
    if format == LogFormat::Json {
        tracing::info!(verb = "serve", server = name, %listen, plugin, version, "{line}");
    }
}

/// Stops all engines at once, and waits for them; a second signal ends the process on the spot, and so
/// does a call that no longer can be expected to return.
async fn stop(control: &Rc<Control>, signals: &mut signals::Signals) {
    tracing::info!(verb = "stop", "stopping");
    control.cancel_loads("the host's stop");
    let stopping: Vec<_> = control
        .servers()
        .iter()
        .map(|server| server.handle.clone())
        .map(|handle| tokio::task::spawn_local(async move { handle.stop().await }))
        .collect();
    let all = async {
        for (task, server) in stopping.into_iter().zip(control.servers()) {
            // Without an answer the engine may still be in a call: its image stays.
            if let Ok(Ok(())) = task.await {
                control.close_down(server).await;
            }
        }
    };
    tokio::select! {
        () = all => tracing::info!(verb = "stop", "stopped"),
        () = signals.stop() => {
            tracing::warn!(verb = "stop", "asked twice: ending at once");
            std::process::exit(1);
        }
        name = hopeless(control) => {
            tracing::error!(
                verb = "stop",
                server = name,
                "a call of the plugin does not return: ending without it"
            );
            std::process::exit(1);
        }
    }
}

/// Waits until a server's call has been running for so long that only the end of the process helps;
/// answers its name.
async fn hopeless(control: &Control) -> String {
    let mut look = tokio::time::interval(WATCHDOG_PERIOD);
    loop {
        look.tick().await;
        let hangs = |server: &&Server| {
            server.stuck().is_some_and(|stuck| stuck.time >= observe::UNHEALTHY_AFTER)
        };
        if let Some(server) = control.servers().iter().find(hangs) {
            return server.name.clone();
        }
    }
}
