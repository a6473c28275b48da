//! The plugin of these tests.

use std::io::Write;

use hotshell_plugin_api::collections::Vec as StateVec;
use hotshell_plugin_api::prelude::*;

/// A line protocol; each line is a request and gets one line. `V` tells two versions apart.
pub struct Lines<const V: u32>;

impl<const V: u32> Plugin for Lines<V> {
    /// Ids of the clients that wait.
    type State = StateVec<u64>;
    /// Requests of this connection.
    type Session = u64;

    fn init(ctx: &mut InitCtx<'_>) -> core::result::Result<Self::State, Refusal> {
        match ctx.config("init") {
            Some("refuse") => Err(Refusal::new("asked to refuse")),
            Some("panic") => panic!("asked to panic"),
            _ => Ok(StateVec::new()),
        }
    }

    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let Some(end) = unread.iter().position(|&b| b == b'\n') else { return Flow::NeedMore };
        let line = core::str::from_utf8(&unread[..end]).unwrap_or("?");
        let consumed = end + 1;
        if line == "early" {
            panic!("before begin");
        }
        ctx.begin(consumed);
        *ctx.session += 1;
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "version" => writeln!(ctx.out, "v{V}").unwrap(),
            "count" => writeln!(ctx.out, "{}", ctx.session).unwrap(),
            "id" => writeln!(ctx.out, "{}", ctx.client()).unwrap(),
            "late" => {
                ctx.out.put(b"half a rep");
                for id in ctx.shell.clients().collect::<Vec<_>>() {
                    ctx.shell.send(id, b"must not be seen\n");
                }
                panic!("after begin");
            }
            "wait" => {
                ctx.state.push(ctx.shell_client());
                return Flow::Blocked;
            }
            "wake" => {
                let waiting: Vec<u64> = ctx.state.drain(..).collect();
                let woken = waiting.iter().filter(|&&id| ctx.shell.resume(id)).count();
                writeln!(ctx.out, "woken {woken}").unwrap();
            }
            "all" => {
                let ids: Vec<u64> = ctx.shell.clients().collect();
                let sent = ctx.shell.send_many(&ids, format!("{rest}\n").as_bytes());
                writeln!(ctx.out, "sent {sent}").unwrap();
            }
            "kick" => {
                let ok = ctx.shell.close(rest.parse().unwrap_or(0));
                writeln!(ctx.out, "kicked {ok}").unwrap();
            }
            "big" => {
                let bytes = vec![b'x'; rest.parse().unwrap_or(0)];
                ctx.out.put(&bytes);
                ctx.out.put(b"\n");
            }
            "zero" => return Flow::Done(0),
            "stop" => ctx.shell.stop(),
            "quit" => {
                ctx.out.put(b"bye\n");
                return Flow::Close;
            }
            _ => writeln!(ctx.out, "{line} ok").unwrap(),
        }
        Flow::Done(consumed)
    }

    fn resume(ctx: &mut Ctx<'_, Self>) -> Flow {
        ctx.out.put(b"resumed\n");
        Flow::Done(0)
    }

    fn disconnect(ctx: &mut Ctx<'_, Self>) {
        let me = ctx.shell_client();
        ctx.state.retain(|&id| id != me);
        ctx.shell.count("disconnects", 1);
    }

    fn panicked(ctx: &mut Ctx<'_, Self>, message: &str) -> Flow {
        writeln!(ctx.out, "error {message}").unwrap();
        Flow::Done(0)
    }

    fn command(
        ctx: &mut CommandCtx<'_, Self>,
        args: &[&[u8]],
    ) -> core::result::Result<(), Refusal> {
        match args {
            [b"waiting"] => writeln!(ctx.out, "{}", ctx.state.len()).map_err(Refusal::from),
            [b"boom"] => panic!("in a command"),
            _ => Err(Refusal::new("only 'waiting' and 'boom' are known")),
        }
    }
}

trait ShellClient {
    fn shell_client(&self) -> u64;
}

impl<const V: u32> ShellClient for Ctx<'_, Lines<V>> {
    fn shell_client(&self) -> u64 {
        self.client()
    }
}
