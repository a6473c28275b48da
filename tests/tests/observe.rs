//! Goal: supervisors, scrapers and systemd hear how the host does, also when it does badly.
//! Method: the HTTP port and the notify socket of real hosts.

use std::net::SocketAddr;
use std::os::unix::net::UnixDatagram;
use std::time::Instant;

use hotshell_tests::files::{kv_v1, kv_v2, misbehave};
use hotshell_tests::host::{Host, HostBuilder};
use hotshell_tests::http::{ask, get};
use hotshell_tests::poll::PATIENCE;
use hotshell_tests::{Folder, eventually};

/// Where a host's HTTP port is, as its log says it.
fn http(host: &Host) -> SocketAddr {
    host.logs("/healthz");
    let log = host.log();
    let rest = log.split("http://").nth(1).expect("the log names the port");
    rest.split('/').next().and_then(|addr| addr.parse().ok()).expect("an address")
}

fn watched(host: HostBuilder) -> (Host, SocketAddr) {
    let host = host.flags(&["--http", "0"]).start();
    let addr = http(&host);
    (host, addr)
}

/// The value of a metric with these labels.
fn metric(addr: SocketAddr, name: &str) -> f64 {
    let page = get(addr, "/metrics").body;
    let line = page.lines().find(|line| line.starts_with(&format!("{name} ")));
    let line = line.unwrap_or_else(|| panic!("{name} is not in\n{page}"));
    line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
}

#[test]
fn a_host_that_serves_is_healthy_ready_and_bound_to_this_machine() {
    let (_host, addr) = watched(Host::with(kv_v1()));
    assert!(addr.ip().is_loopback());
    let alive = get(addr, "/healthz");
    assert_eq!((alive.status, alive.body.as_str()), (200, "alive\n"));
    let ready = get(addr, "/readyz");
    assert_eq!((ready.status, ready.body.as_str()), (200, "main: ready\n"));
    assert_eq!(get(addr, "/nothing").status, 404);
    let refused = ask(addr, "POST", "/metrics");
    assert_eq!(refused.status, 405);
    assert!(refused.head.contains("allow: get, head"), "{}", refused.head);
}

#[test]
fn metrics_count_calls_swaps_by_kind_and_outcome_and_the_stop() {
    let (host, addr) = watched(Host::with(kv_v1()).flags(&["--probation", "0"]));
    let mut client = host.resp();
    client.call(&["SET", "key", "value"]);
    let done = |verb: &str| {
        format!(
            "hotshell_swaps_total{{server=\"main\",verb=\"{verb}\",migration=\"by-name\",outcome=\"done\"}}"
        )
    };
    host.swap(kv_v2());
    host.json(&["rollback"]);
    let bad = host.folder.write("bad.so", b"no plugin");
    host.refused(1, &["swap", bad.to_str().expect("UTF-8")]);
    assert_eq!(metric(addr, &done("swap")), 1.0);
    assert_eq!(metric(addr, &done("rollback")), 1.0);
    let loads = |outcome| format!("hotshell_loads_total{{server=\"main\",outcome=\"{outcome}\"}}");
    assert_eq!(metric(addr, &loads("done")), 1.0);
    assert_eq!(metric(addr, &loads("ELF")), 1.0);
    assert_eq!(metric(addr, "hotshell_swap_stop_seconds_count{server=\"main\"}"), 2.0);
    assert!(metric(addr, "hotshell_swap_stop_seconds_sum{server=\"main\"}") > 0.0);
    eventually("the call is counted", || {
        metric(addr, "hotshell_calls_total{server=\"main\"}") >= 1.0
    });
    assert_eq!(metric(addr, "hotshell_clients{server=\"main\"}"), 1.0);
    assert_eq!(metric(addr, "hotshell_generation{server=\"main\"}"), 1.0);
    assert_eq!(metric(addr, "hotshell_generations_resident{server=\"main\"}"), 2.0);
    assert!(metric(addr, "hotshell_state_bytes{server=\"main\"}") > 0.0);
    let page = get(addr, "/metrics");
    assert!(page.head.contains("application/openmetrics-text"), "{}", page.head);
    assert!(page.body.contains("hotshell_plugin_info{server=\"main\",plugin=\"kv\""));
    assert!(page.body.ends_with("# EOF\n"), "{}", page.body);
    assert!(!page.body.contains("hotshell_journal_bytes_total{"), "there is no journal");
}

#[test]
fn metrics_tell_of_the_journal_and_verdicts_of_probation() {
    let folder = Folder::new();
    let data = folder.at("data");
    let data = data.to_str().expect("UTF-8");
    let flags = ["--data", data, "--fsync", "always", "--probation-max-panics", "0"];
    let (host, addr) = watched(Host::with(kv_v1()).flags(&flags));
    host.resp().call(&["SET", "key", "value"]);
    eventually("it was written", || {
        metric(addr, "hotshell_journal_bytes_total{server=\"main\"}") > 0.0
    });
    eventually("it was synced", || {
        metric(addr, "hotshell_journal_lag_bytes{server=\"main\"}") == 0.0
    });
    assert!(metric(addr, "hotshell_journal_syncs_total{server=\"main\"}") >= 1.0);
    assert!(metric(addr, "hotshell_journal_sync_seconds_total{server=\"main\"}") > 0.0);
    assert_eq!(metric(addr, "hotshell_journal_waiting{server=\"main\"}"), 0.0);
    let status = host.json(&["status"]);
    assert_eq!(status["journal"]["fsync"], "always");
    assert_eq!(status["journal"]["state"], "ok");
    every_metric_is_explained(&get(addr, "/metrics").body);
    host.swap(kv_v2());
    host.json(&["rollback"]);
    let labels = "server=\"main\",verdict=\"ended\",rule=\"none\"";
    assert_eq!(metric(addr, &format!("hotshell_probations_total{{{labels}}}")), 1.0);
}

fn every_metric_is_explained(page: &str) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/OPERATIONS.md");
    let manual = std::fs::read_to_string(path).expect("docs/OPERATIONS.md");
    let names = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<&str> = names.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 25, "{page}");
    for name in names.iter().filter(|name| **name != "hotshell_build_info") {
        assert!(manual.contains(name), "docs/OPERATIONS.md does not explain {name}");
    }
}

#[test]
fn a_call_that_does_not_return_makes_the_host_not_ready_and_later_not_healthy() {
    let folder = Folder::new();
    let hang = folder.write("hang.so", &misbehave("hang-in-data"));
    let (host, addr) = watched(Host::with(&hang));
    assert_eq!(get(addr, "/readyz").status, 200);
    let mut client = host.lines();
    client.send("boom\n");
    eventually("it is not ready", || get(addr, "/readyz").status == 503);
    let page = get(addr, "/readyz");
    assert!(page.body.starts_with("main: stuck in data(), "), "{}", page.body);
    assert_eq!(get(addr, "/healthz").status, 200, "a call may be slow");
    eventually("it is not healthy", || get(addr, "/healthz").status == 503);
    assert!(metric(addr, "hotshell_call_running_seconds{server=\"main\"}") >= 10.0);
}

/// What the host told the service manager so far is read until it said this.
fn hears(socket: &UnixDatagram, wanted: &str) {
    let (began, mut all) = (Instant::now(), String::new());
    let mut buffer = [0; 4096];
    while !all.lines().any(|line| line.starts_with(wanted)) {
        let read = socket.recv(&mut buffer);
        let read = read.unwrap_or_else(|error| panic!("never {wanted}: {error}\n{all}"));
        assert!(began.elapsed() < PATIENCE, "never {wanted}:\n{all}");
        all.push_str(&String::from_utf8_lossy(&buffer[..read]));
        all.push('\n');
    }
}

#[test]
fn a_service_manager_hears_of_the_start_a_reload_signs_of_life_and_the_end() {
    let folder = Folder::new();
    let path = folder.at("notify.sock");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let host = Host::with(kv_v1()).env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1000000");
    let mut host = host.start();
    hears(&socket, "STATUS=starting");
    hears(&socket, "READY=1");
    hears(&socket, "WATCHDOG=1");
    hears(&socket, "STATUS=main: ready, kv 1.0.0 (generation 1), 0 clients");
    host.signal(libc::SIGHUP);
    hears(&socket, "RELOADING=1");
    hears(&socket, "READY=1");
    host.signal(libc::SIGTERM);
    hears(&socket, "STOPPING=1");
    assert!(host.wait().success());
}

#[test]
fn an_http_address_that_is_taken_ends_the_start_with_the_way_on() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = taken.local_addr().expect("an address").to_string();
    let folder = Folder::new();
    let mut serve = hotshell_tests::cli::command();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--http", &addr, "--plugin"]).arg(kv_v1());
    serve.arg("--admin").arg(folder.at("admin.sock"));
    let refused = hotshell_tests::cli::run(&mut serve).expect(1);
    assert!(
        refused.stderr.contains(&format!("cannot answer HTTP on {addr} [START]")),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("next: choose another --http"), "{refused:?}");
}
