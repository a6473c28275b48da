//! Goal: what an admin can ask for, end to end inside the process: table, gate, registry, reports.
//! Method: real control, with loads that make things up and engines that answer through a channel.

use std::path::Path;
use std::sync::Condvar;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{LocalSet, spawn_local};

use super::*;
use crate::answer::Answer;
use crate::commands::{Request, execute};
use crate::config::Live;
use crate::data::snapshot::Policy;
use crate::data::{Folder, Fsync, Permanent};
use crate::engine::Command;
use crate::registry::Fresh;
use crate::testing::{answer, engine, fresh};

/// Holds every load of a file named `slow` until it is opened.
#[derive(Default)]
pub(crate) struct Door {
    open: std::sync::Mutex<bool>,
    opened: Condvar,
}

impl Door {
    fn pass(&self, job: &Job) -> Result<()> {
        let mut open = self.open.lock().expect("no panics");
        while job.file.ends_with("slow") && !*open && !job.cancel.load(Ordering::Relaxed) {
            let patience = std::time::Duration::from_millis(5);
            open = self.opened.wait_timeout(open, patience).expect("no panics").0;
        }
        Ok(())
    }
}

/// `/kv/2.0.0` holds kv 2.0.0; `/kv/9.0.0` has another schema; `/bad/...` is refused.
fn make_up(job: &Job) -> Result<Fresh> {
    let name = job.file.parent().and_then(Path::file_name).unwrap_or_default();
    let version = job.file.file_name().unwrap_or_default().to_string_lossy();
    if name == "bad" {
        return Err(Error::new(Code::Elf, "not an ELF", "", ""));
    }
    let schema = if version == "9.0.0" { 9 } else { 1 };
    Ok(fresh(job.generation, &name.to_string_lossy(), &version, schema))
}

type Made = (Rc<Control>, Vec<UnboundedReceiver<Command>>, Arc<Door>);

pub(crate) fn host(names: &[&str]) -> Made {
    host_with(names, |_| {})
}

/// A host whose servers are changed before it starts.
fn host_with(names: &[&str], change: impl Fn(&mut Server)) -> Made {
    let mut heard = Vec::new();
    let mut server = |name: &&str| {
        let (handle, commands) = engine(name);
        heard.push(commands);
        let first = fresh(1, "kv", "1.0.0", 1);
        Server {
            name: (*name).to_owned(),
            handle,
            limits: Limits { max_resident: 3, ..Limits::default() },
            config: Texts::default(),
            started_from: first.artifact.path.clone(),
            overtaken: "/overtaken.jsonl".into(),
            keeping: None,
            looks: Looks::default(),
            registry: RefCell::new(Registry::start(name, first)),
            rules: Rules { time: Duration::ZERO, ..Rules::default() },
            probation: RefCell::new(None),
            judged: RefCell::new(None),
            events: crate::events::Events::default(),
            ways: RefCell::default(),
        }
    };
    let mut servers: Vec<Server> = names.iter().map(&mut server).collect();
    servers.iter_mut().for_each(change);
    let door = Arc::new(Door::default());
    let at_door = door.clone();
    let load = move |job: &Job| at_door.pass(job).and_then(|()| make_up(job));
    let check = |job: &Job| {
        let Fresh { artifact, callable, .. } = make_up(job)?;
        let shape = callable.shape;
        Ok(Checked { artifact, shape, warnings: Vec::new() })
    };
    let (stop, _) = mpsc::unbounded_channel();
    let control = Control::new(Arc::default(), Loads::new(load, check), stop);
    control.serve(servers);
    (control, heard, door)
}

async fn ask(control: &Rc<Control>, line: &str) -> Result<Answer> {
    let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
    execute(control, Request::parse(&words, "admin pid 7")?).await
}

async fn json(control: &Rc<Control>, line: &str) -> Value {
    let answer = ask(control, line).await.expect(line);
    serde_json::from_str(&answer.json).expect("it is JSON")
}

async fn refused(control: &Rc<Control>, line: &str) -> Code {
    ask(control, line).await.expect_err(line).code
}

/// Runs a test on a control thread with one server, `main`, whose engine answers.
pub(crate) fn with_main<F: Future<Output = ()>>(test: impl FnOnce(Rc<Control>, Arc<Door>) -> F) {
    let (control, heard, door) = host(&["main"]);
    run_local(async {
        for commands in heard {
            spawn_local(answer(commands));
        }
        test(control, door).await;
    });
}

/// [`with_main`], with a server that is changed before, and a say in when it switches to generation 1.
fn with_gate<F: Future<Output = ()>>(
    change: impl Fn(&mut Server),
    test: impl FnOnce(Rc<Control>, Rc<Notify>) -> F,
) {
    let (control, mut heard, _) = host_with(&["main"], change);
    run_local(async {
        let (go, commands) = (Rc::new(Notify::new()), heard.pop().expect("one engine"));
        let (forward, passed) = mpsc::unbounded_channel();
        spawn_local(answer(passed));
        spawn_local(hold_back(commands, forward, go.clone()));
        test(control, go).await;
    });
}

/// Hands commands on; a switch to generation 1 waits for a word.
async fn hold_back(
    mut commands: UnboundedReceiver<Command>,
    forward: mpsc::UnboundedSender<Command>,
    go: Rc<Notify>,
) {
    while let Some(command) = commands.recv().await {
        if matches!(&command, Command::Use(switch, _) if switch.to.generation == 1) {
            go.notified().await;
        }
        let _ = forward.send(command);
    }
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn run_local(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), test);
}

#[test]
fn a_swap_and_a_rollback_answer_with_the_agreed_shape() {
    with_main(|control, _| async move {
        let swapped = json(&control, "swap /kv/2.0.0").await;
        assert_eq!(swapped["server"], "main");
        assert_eq!(swapped["generation"], 2);
        assert_eq!(swapped["version"], "2.0.0");
        assert_eq!(swapped["from_generation"], 1);
        assert_eq!(swapped["migration"], "adopt");
        assert_eq!(swapped["pause_us"], 3.21);
        assert!(swapped["total_us"].as_f64().is_some_and(|us| us > 0.0));
        let line = ask(&control, "rollback").await.expect("a way back").first_line().to_owned();
        assert!(line.starts_with("kv 2.0.0 -> 1.0.0 (generation 1), adopt, stop 3.2 us, total "));
        assert_eq!(refused(&control, "rollback").await, Code::NoRollback);
        let already = ask(&control, "use 1").await.expect("no error");
        assert_eq!(already.first_line(), "kv 1.0.0 (generation 1) is active already");
    });
}

#[test]
fn list_and_status_have_the_agreed_fields() {
    with_main(|control, _| async move {
        json(&control, "swap /kv/2.0.0").await;
        let list = json(&control, "list").await;
        let [first, second] = list.as_array().expect("an array").as_slice() else { panic!() };
        let fields = "server generation plugin version status temperature schema digest path \
                      loaded_at permanent probation rollback_target sessions weight mapped";
        for field in fields.split_whitespace() {
            assert!(first.get(field).is_some() && second.get(field).is_some(), "{field}");
        }
        assert_eq!((&first["status"], &second["status"]), (&"available".into(), &"active".into()));
        assert_eq!(first["rollback_target"], true);
        assert_eq!(second["permanent"], true);
        let status = json(&control, "status").await;
        let fields = "pid uptime_s clients calls panics swaps swap_pause_us_max state_bytes \
                      set_aside generations_resident started_from";
        for field in fields.split_whitespace() {
            assert!(status.get(field).is_some(), "{field}");
        }
        assert_eq!(status["generations_resident"], 2);
    });
}

#[test]
fn a_refused_load_or_swap_changes_nothing_and_takes_no_number() {
    with_main(|control, _| async move {
        let before = json(&control, "list").await;
        for (line, code) in [
            ("swap /bad/1.0.0", Code::Elf),
            ("load /bad/1.0.0", Code::Elf),
            ("swap /kv/9.0.0", Code::Schema),
            ("load /kv/9.0.0", Code::Schema),
            ("swap /counter/1.0.0", Code::OtherPlugin),
            ("swap /counter/9.0.0 --replace-plugin", Code::Schema),
            ("swap /kv/2.0.0 --if-active 7", Code::Moved),
            ("use 2", Code::NoGeneration),
            ("use 99999999999999999999", Code::NoGeneration),
            ("use kv@3.0.0", Code::NoGeneration),
            ("use nonsense", Code::Usage),
            ("discard 1", Code::Active),
            ("swap /kv/2.0.0 --server other", Code::Server),
            ("check /kv/9.0.0", Code::Schema),
        ] {
            assert_eq!(refused(&control, line).await, code, "{line}");
        }
        let plan = json(&control, "swap /kv/2.0.0 --dry-run").await;
        assert_eq!((&plan["dry_run"], &plan["pause_us"]), (&true.into(), &Value::Null));
        assert_eq!(json(&control, "list").await, before);
        assert_eq!(json(&control, "load /kv/2.0.0").await["generation"], 2);
    });
}

#[test]
fn generations_are_named_by_version_when_that_is_clear() {
    with_main(|control, _| async move {
        json(&control, "load /kv/2.0.0").await;
        assert_eq!(json(&control, "use kv@2.0.0").await["generation"], 2);
        json(&control, "load /kv/2.0.0").await;
        let error = ask(&control, "use kv@2.0.0").await.expect_err("two of them");
        assert_eq!(error.detail, "generations 2, 3 are kv@2.0.0");
        json(&control, "discard 3").await;
        json(&control, "use kv@1.0.0").await;
        json(&control, "discard kv@2.0.0").await;
        assert_eq!(refused(&control, "use kv@2.0.0").await, Code::Discarded);
        assert_eq!(refused(&control, "rollback").await, Code::NoRollback);
    });
}

#[test]
fn swap_makes_room_by_itself_and_load_does_not() {
    with_main(|control, _| async move {
        json(&control, "swap /kv/2.0.0").await;
        json(&control, "swap /kv/3.0.0").await;
        assert_eq!(refused(&control, "load /kv/4.0.0").await, Code::TooMany);
        let swapped = json(&control, "swap /kv/4.0.0").await;
        assert_eq!(swapped["discarded"], Value::from(vec![1]));
        assert_eq!(json(&control, "rollback").await["generation"], 3);
        assert_eq!(json(&control, "rollback").await["generation"], 2);
    });
}

#[test]
fn a_load_makes_others_busy_until_a_rollback_cancels_it() {
    with_main(|control, _| async move {
        json(&control, "swap /kv/2.0.0").await;
        let slow = control.clone();
        let slow = spawn_local(async move { ask(&slow, "swap /kv/slow").await });
        while control.gate.work_on("main").is_none() {
            tokio::task::yield_now().await;
        }
        let error = ask(&control, "use 1").await.expect_err("busy");
        assert_eq!(error.code.exit_code(), 4);
        assert!(error.detail.contains("`swap /kv/slow`") && error.detail.contains("admin pid 7"));
        assert_eq!(json(&control, "status").await["busy"]["verb"], "swap");
        assert_eq!(json(&control, "rollback").await["generation"], 1);
        let cancelled = slow.await.expect("no panic").expect_err("cancelled");
        assert_eq!(cancelled.code, Code::Cancelled);
        assert_eq!(json(&control, "list").await.as_array().map(Vec::len), Some(2));
    });
}

#[test]
fn an_asker_that_goes_away_or_runs_out_of_time_cancels_nothing() {
    with_main(|control, door| async move {
        assert_eq!(refused(&control, "swap /kv/slow --timeout 1ms").await, Code::Timeout);
        *door.open.lock().expect("no panics") = true;
        door.opened.notify_all();
        while control.gate.work_on("main").is_some() {
            tokio::task::yield_now().await;
        }
        assert_eq!(json(&control, "status").await["generation"], 2);
    });
}

#[test]
fn a_stuck_engine_keeps_nobody_from_looking_or_from_other_servers() {
    let (control, mut heard, _) = host(&["stuck", "fine"]);
    run_local(async move {
        spawn_local(answer(heard.pop().expect("two engines")));
        let asked = ask(&control, "swap /kv/2.0.0 --server stuck --timeout 20ms");
        assert_eq!(asked.await.expect_err("stuck").code, Code::Timeout);
        let status = json(&control, "status --server stuck").await;
        assert_eq!((&status["busy"]["verb"], &status["generation"]), (&"swap".into(), &1.into()));
        assert_eq!(refused(&control, "rollback --server stuck").await, Code::NoRollback);
        assert_eq!(refused(&control, "use 1").await, Code::Server);
        assert_eq!(json(&control, "swap /kv/2.0.0 --server fine").await["generation"], 2);
        assert_eq!(json(&control, "list").await.as_array().map(Vec::len), Some(3));
        drop(heard);
    });
}

fn active(control: &Control) -> u64 {
    control.servers()[0].registry.borrow().active().number
}

fn set_draining(control: &Control, entries: u64) {
    control.servers()[0].handle.counters.draining.store(entries, Ordering::Relaxed);
}

#[test]
fn room_is_never_made_of_a_generation_that_the_engine_is_on_its_way_to() {
    with_gate(
        |_| {},
        |control, go| async move {
            json(&control, "swap /kv/2.0.0").await;
            json(&control, "swap /kv/3.0.0").await;
            set_draining(&control, 1);
            let swapping = control.clone();
            let swapping = spawn_local(async move { json(&swapping, "swap /kv/4.0.0").await });
            until(|| active(&control) == 4).await;
            let using = control.clone();
            let using = spawn_local(async move { json(&using, "use 1").await });
            until(|| control.gate.is_switching("main")).await;
            // The oldest one over the limit is 1, and nothing keeps it but the switch that is under way.
            set_draining(&control, 0);
            tokio::time::sleep(Duration::from_millis(20)).await;
            assert!(
                control.servers()[0].registry.borrow().callable(1).is_ok(),
                "it is still there"
            );
            go.notify_one();
            assert_eq!(using.await.expect("no panic")["generation"], 1);
            assert_eq!(swapping.await.expect("no panic")["discarded"], Value::from(vec![2]));
            assert_eq!(active(&control), 1);
        },
    );
}

#[test]
fn a_rollback_does_not_wait_for_room_while_entries_are_converted_and_a_discard_is_refused() {
    with_main(|control, _| async move {
        json(&control, "swap /kv/2.0.0").await;
        json(&control, "swap /kv/3.0.0").await;
        set_draining(&control, 7);
        let swapping = control.clone();
        let swapping = spawn_local(async move { json(&swapping, "swap /kv/4.0.0").await });
        until(|| active(&control) == 4).await;
        let error = ask(&control, "discard 1").await.expect_err("it may be needed");
        assert_eq!(error.code, Code::Busy);
        assert_eq!(error.message, "cannot discard kv 1.0.0 (generation 1) of server 'main' yet");
        assert!(error.detail.starts_with("7 entries and sessions are still to be converted, 0 "));
        assert!(error.hint.starts_with("wait until `status` shows"), "{error}");
        assert_eq!(json(&control, "rollback").await["generation"], 3);
        assert!(!swapping.is_finished());
        set_draining(&control, 0);
        assert_eq!(swapping.await.expect("no panic")["discarded"], Value::from(vec![1]));
        assert_eq!(refused(&control, "use 1").await, Code::Discarded);
        assert_eq!(json(&control, "discard 4").await["generation"], 4);
    });
}

fn on_probation(server: &mut Server) {
    server.rules = Rules { max_panics: 0, ..Rules::default() };
}

#[test]
fn wait_hears_a_verdict_that_was_there_before_the_swap_had_anything_to_answer() {
    with_gate(on_probation, |control, go| async move {
        go.notify_one();
        json(&control, "swap /kv/2.0.0").await;
        json(&control, "use 1").await;
        json(&control, "swap /kv/3.0.0").await;
        set_draining(&control, 1);
        let swapping = control.clone();
        let swapping = spawn_local(async move { ask(&swapping, "swap /kv/4.0.0 --wait").await });
        until(|| active(&control) == 4).await;
        control.servers()[0].handle.counters.now.panics.store(1, Ordering::Relaxed);
        until(|| active(&control) == 3).await;
        set_draining(&control, 0);
        let error = swapping.await.expect("no panic").expect_err("it was rolled back");
        assert_eq!((error.code, error.code.exit_code()), (Code::RolledBack, 6));
    });
}

#[test]
fn use_of_the_active_generation_waits_for_its_verdict_too() {
    with_gate(on_probation, |control, go| async move {
        json(&control, "swap /kv/2.0.0").await;
        let waiting = control.clone();
        let waiting = spawn_local(async move { ask(&waiting, "use 2 --wait").await });
        tokio::task::yield_now().await;
        control.servers()[0].handle.counters.now.panics.store(1, Ordering::Relaxed);
        go.notify_one();
        let error = waiting.await.expect("no panic").expect_err("it was rolled back");
        assert_eq!(error.code, Code::RolledBack);
    });
}

#[test]
fn a_rollback_right_behind_a_swap_leaves_nothing_on_probation() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = Folder::open(folder.path()).expect("a data folder");
    let keep = |server: &mut Server| {
        on_probation(server);
        server.keeping = Some(Keeping {
            memory: Memory::new(
                data.store("main", Fsync::No).expect("a store"),
                Permanent::default(),
            ),
            configured: Live { fsync: Fsync::No, snapshots: Policy::default() },
            set: RefCell::new(None),
        });
    };
    with_gate(keep, |control, go| async move {
        go.notify_one();
        let swapping = control.clone();
        let swapping = spawn_local(async move { json(&swapping, "swap /kv/2.0.0").await });
        until_now(|| active(&control) == 2).await;
        while let Err(busy) = ask(&control, "rollback").await {
            assert_eq!(busy.code, Code::Busy, "{busy}");
        }
        swapping.await.expect("no panic");
        let status = json(&control, "status").await;
        assert_eq!((&status["generation"], &status["probation"]), (&1.into(), &Value::Null));
        assert_eq!(status["last_probation"]["verdict"], "ended");
    });
}

/// [`until`], without a pause between two looks.
async fn until_now(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}
