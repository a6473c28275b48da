//! Goal: programs and libraries that were written for Redis do not notice that kv is not Redis, nor that
//! its code is replaced. Method: Debian's redis-cli and redis-benchmark, and redis-py, each with its own
//! ways, against real hosts.

use std::io::{BufRead, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use hotshell_tests::cli::{peer, skipped};
use hotshell_tests::resp::kv_version;
use hotshell_tests::traffic::{Situation, Traffic};
use hotshell_tests::{Host, artifacts, kv_v1, kv_v2};

/// The tests that redis-benchmark runs when it is not told which.
const BENCHMARKS: [&str; 20] = [
    "PING_INLINE",
    "PING_MBULK",
    "SET",
    "GET",
    "INCR",
    "LPUSH",
    "RPUSH",
    "LPOP",
    "RPOP",
    "SADD",
    "HSET",
    "SPOP",
    "ZADD",
    "ZPOPMIN",
    "LPUSH (needed to benchmark LRANGE)",
    "LRANGE_100 (first 100 elements)",
    "LRANGE_300 (first 300 elements)",
    "LRANGE_500 (first 500 elements)",
    "LRANGE_600 (first 600 elements)",
    "MSET (10 keys)",
];

/// A program with the port of a host's only server.
fn program(name: &Path, host: &Host, args: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(["-p", &host.addr().port().to_string()]).args(args).stdin(Stdio::null());
    command
}

#[track_caller]
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {text}{errors}", output.status);
    text
}

#[test]
fn redis_cli_talks_looks_around_and_loads() {
    let Some(cli) = peer("redis-cli") else { return };
    let host = Host::start(kv_v2());
    let ask = |args: &[&str]| said(&program(&cli, &host, args).output().expect("it runs"));
    assert_eq!(ask(&["set", "greeting", "hello"]), "OK\n");
    assert_eq!(ask(&["-3", "hset", "h", "f", "1", "g", "2"]), "2\n");
    assert_eq!(ask(&["-3", "--json", "hgetall", "h"]), "{\"f\":\"1\",\"g\":\"2\"}\n");
    assert_eq!(ask(&["--no-raw", "lrange", "none", "0", "-1"]), "(empty array)\n");
    assert_eq!(ask(&["--scan", "--pattern", "gree*"]), "greeting\n");
    let mut pipe = program(&cli, &host, &["--pipe"]);
    let mut child = pipe.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
    let commands: String = (0..1000).map(|n| format!("RPUSH list element:{n}\r\n")).collect();
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(commands.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(said(&output).contains("errors: 0, replies: 1000"), "{output:?}");
    let biggest = ask(&["--bigkeys"]);
    assert!(biggest.contains("Biggest   list found '\"list\"' has 1000 items"), "{biggest}");
    let lfu = ["maxmemory-policy", "allkeys-lfu", "lfu-log-factor", "0", "lfu-decay-time", "0"];
    assert_eq!(ask(&[&["config", "set"][..], &lfu].concat()), "OK\n");
    for request in [&["set", "cold", "1"][..], &["set", "hot", "1"], &["get", "hot"]] {
        ask(request);
    }
    // The walk of redis-cli over all keys is no use of them.
    let hottest = ask(&["--hotkeys"]);
    for line in ["counter: 6\tkeyname: \"hot\"", "counter: 5\tkeyname: \"cold\""] {
        assert!(hottest.contains(line), "{hottest}");
    }
}

#[test]
fn redis_benchmark_runs_all_its_tests() {
    let Some(benchmark) = peer("redis-benchmark") else { return };
    for (file, pipeline) in [(kv_v2(), "1"), (kv_v1(), "16")] {
        let host = Host::start(&file);
        let args = ["-n", "500", "-c", "20", "-P", pipeline, "-r", "100", "--csv"];
        let mut command = program(&benchmark, &host, &args);
        let v1 = file == kv_v1();
        if v1 {
            // ZPOPMIN came with Redis 5.
            command.args([
                "-t",
                "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,lrange,mset",
            ]);
        }
        let csv = said(&command.output().expect("it runs"));
        let found: Vec<&str> =
            csv.lines().skip(1).filter_map(|line| line[1..].split("\",").next()).collect();
        let wanted = BENCHMARKS.iter().filter(|name| !v1 || **name != "ZPOPMIN");
        assert!(found.iter().eq(wanted), "{csv}");
        assert_eq!((host.status("panics"), host.status("failed")), (0, 0));
    }
}

fn benchmark_forever(benchmark: &Path, host: &Host, pipeline: &str) -> Child {
    let args = ["-l", "-q", "-c", "20", "-r", "1000", "-P", pipeline, "-n", "20000", "-t"];
    let mut command = program(benchmark, host, &args);
    command.arg("ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,lrange_100,mset");
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it runs")
}

/// redis-benchmark ends at the first error or closed connection. Beside it every situation a client can
/// be in is checked.
#[test]
fn swaps_under_redis_benchmark_there_and_back_are_noticed_by_nobody() {
    let Some(benchmark) = peer("redis-benchmark") else { return };
    let host = Host::start(kv_v1());
    let mut loads = ["1", "16"].map(|pipeline| benchmark_forever(&benchmark, &host, pipeline));
    let traffic = Traffic::start(host.addr(), &Situation::ALL);
    let mut client = host.resp();
    for (file, version) in [(kv_v2(), "7"), (kv_v1(), "4")].into_iter().cycle().take(8) {
        traffic.ready();
        host.swap(file);
        traffic.swapped();
        assert_eq!(kv_version(&mut client), version);
    }
    traffic.ready();
    assert!(traffic.finish() > 0, "replies were checked");
    for load in &mut loads {
        let ended = load.try_wait().expect("it is our child");
        assert!(ended.is_none(), "redis-benchmark ended, so it heard something wrong: {ended:?}");
        load.kill().expect("it runs");
        let _ = load.wait();
    }
    host.swap(kv_v2());
    let pop = client.call(&["ZPOPMIN", "none"]);
    assert!(pop.array().is_empty(), "an old connection has the new commands");
    assert_eq!(host.status("swaps"), 9);
    assert_eq!((host.status("panics"), host.status("failed")), (0, 0));
}

/// Sends "4" or "7" to a script and hears that it went on.
struct Script {
    child: Child,
    stdin: std::process::ChildStdin,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
}

impl Script {
    fn start(python: &Path, name: &str, host: &Host) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        let mut child = Command::new(python)
            .arg(folder.join(name))
            .arg(host.addr().port().to_string())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let stdin = child.stdin.take().expect("piped");
        let lines = std::io::BufReader::new(child.stdout.take().expect("piped")).lines();
        Self { child, stdin, lines }
    }

    #[track_caller]
    fn tell(&mut self, line: &str, wanted: &str) {
        writeln!(self.stdin, "{line}").expect("it reads");
        let said = self.lines.next().map(|line| line.expect("it writes"));
        if said.as_deref() != Some(wanted) {
            let mut errors = String::new();
            let stderr = self.child.stderr.take();
            let read = stderr.map(|mut stderr| stderr.read_to_string(&mut errors));
            panic!("{said:?} is not {wanted:?}: {errors} {read:?}");
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn programs_with_redis_py_go_on_through_swaps_there_and_back() {
    let Some(python) = python() else { return };
    let host = Host::start(kv_v1());
    let mut script = Script::start(&python, "redis_py_swaps.py", &host);
    script.tell("4", "went on");
    for (file, level) in [(kv_v2(), "7"), (kv_v1(), "4")].into_iter().cycle().take(7) {
        host.swap(file);
        script.tell(level, "went on");
    }
    script.tell("end", "all as with Redis");
    assert_eq!((host.status("swaps"), host.status("panics"), host.status("failed")), (7, 0, 0));
}

/// The Python that has redis-py: `$HOTSHELL_REDIS_PY`, or the system's. `.ci/run` makes one.
fn python() -> Option<PathBuf> {
    let python = match std::env::var_os("HOTSHELL_REDIS_PY") {
        Some(path) => PathBuf::from(path),
        None => peer("python3")?,
    };
    let has = Command::new(&python).args(["-c", "import redis"]).stderr(Stdio::null()).status();
    if has.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    let required = std::env::var("HOTSHELL_REQUIRE_PEERS").is_ok_and(|v| v == "1");
    assert!(!required, "{} has no redis-py, and HOTSHELL_REQUIRE_PEERS=1", python.display());
    skipped("redis-py is not installed: pip install redis, and HOTSHELL_REDIS_PY=path of python");
    None
}

#[test]
fn redis_py_does_what_it_does_with_redis() {
    let Some(python) = python() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/redis_py.py");
    let host = Host::start(kv_v2());
    let other = artifacts::plugin("kv-v1");
    let run = |protocol: &str| {
        let port = host.addr().port().to_string();
        let output = Command::new(&python)
            .arg(&script)
            .args([&port, protocol])
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .output()
            .expect("it runs");
        let text = said(&output);
        assert!(text.ends_with("all as with Redis\n"), "{text}");
    };
    run("2");
    run("3");
    host.swap(other);
    host.swap(kv_v2());
    run("3");
    assert_eq!((host.status("panics"), host.status("failed")), (0, 0));
}

/// redis-py's own tests, as far as they are about a server: `$HOTSHELL_REDIS_PY_SUITE` is the folder of
/// its source. `.ci/run` fetches it.
#[test]
fn the_suite_of_redis_py_passes_but_for_what_is_absent() {
    let Some(suite) = std::env::var_os("HOTSHELL_REDIS_PY_SUITE") else {
        return skipped("HOTSHELL_REDIS_PY_SUITE is not set: the folder of redis-py's source");
    };
    let Some(python) = python() else { return };
    let left_out = include_str!("../clients/redis_py_suite.txt").lines();
    let left_out = left_out.filter_map(|line| line.split(' ').next().filter(|part| *part != "#"));
    let left_out = left_out.map(|part| format!("not {part}")).collect::<Vec<_>>().join(" and ");
    // BGSAVE is one of the tests, so there must be somewhere to save to.
    let data = hotshell_tests::Folder::new();
    let host = Host::with(kv_v2());
    let host = host.flags(&["--data", hotshell_tests::host::text(&data.at("data"))]).start();
    let run = |protocol: &str, tests: &[String]| {
        let mut pytest = Command::new(&python);
        pytest.args(["-m", "pytest", "-q", "--timeout", "60", "-p", "no:cacheprovider"]);
        pytest.args(["-m", "not redismod and not onlycluster and not ssl and not replica"]);
        pytest.args(["-k", &left_out, "--protocol", protocol]);
        pytest.args(["--redis-url", &format!("redis://{}/0", host.addr())]).args(tests);
        pytest.current_dir(&suite).env("PYTHONDONTWRITEBYTECODE", "1").output().expect("it runs")
    };
    let files = ["commands", "pipeline", "encoding", "monitor", "connection_pool"];
    let files = files.map(|file| format!("tests/test_{file}.py"));
    for protocol in ["2", "3"] {
        let mut output = run(protocol, &files);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(passed(&text).is_some_and(|passed| passed > 400), "{text}");
        // Some of them look at what is over within a second, and have no patience with a machine that stands
        // still for one: what is wrong, is wrong again.
        for _ in 0..3 {
            let failed = failed(&output);
            if failed.is_empty() {
                break;
            }
            println!("RESP{protocol}, failed and run again: {failed:?}");
            output = run(protocol, &failed);
        }
        said(&output);
    }
    assert_eq!((host.status("panics"), host.status("failed")), (0, 0));
}

/// How many tests passed, by the last line of pytest: `1 failed, 412 passed, 9 skipped in 20.12s`.
fn passed(text: &str) -> Option<u32> {
    let before = text.lines().last()?.split_once(" passed")?.0;
    before.rsplit(' ').next()?.parse().ok()
}

/// The tests that failed, as pytest's summary names them.
fn failed(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let named = text.lines().filter_map(|line| {
        let rest = line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR "))?;
        Some(rest.split(" - ").next().expect("one part").to_owned())
    });
    named.collect()
}
