//! The engine's half of a [`TestServer`]: which call comes next, and what its outcome means.

use crate::abi::{
    Buffer, Call, NOT_BEGUN, OUTCOME_BLOCKED, OUTCOME_CLOSE, OUTCOME_DONE, OUTCOME_NEED_MORE,
    OUTCOME_PANICKED, Outcome,
};
use crate::ctx::ClientId;
use crate::plugin::{Plugin, Refusal};
use crate::testing::TestServer;
use crate::testing::heap;
use crate::testing::host::Host;

/// A function of the plugin's table that takes only the call.
type Function = unsafe extern "C" fn(call: *mut Call) -> Outcome;

impl<P: Plugin> TestServer<P> {
    pub(super) fn init(&mut self) -> Result<(), Refusal> {
        let mut root = core::ptr::null_mut();
        let init = self.table.init;
        let ended = run(&mut self.host, 0, &[], |call| {
            // SAFETY: `call` is filled in, and there is a place for the root.
            unsafe { init(call, &mut root) }
        });
        self.host.root = root;
        if ended.code == OUTCOME_DONE { Ok(()) } else { Err(self.host.refusal()) }
    }

    pub(super) fn call_server(&mut self, function: Function) -> Outcome {
        // SAFETY: `call` is filled in for a call that serves no client.
        run(&mut self.host, 0, &[], |call| unsafe { function(call) })
    }

    pub(super) fn call_client(
        &mut self,
        function: Function,
        id: ClientId,
        input: &[u8],
    ) -> Outcome {
        self.bring(id);
        // SAFETY: `call` is filled in with the client's session and output.
        run(&mut self.host, id, input, |call| unsafe { function(call) })
    }

    pub(super) fn call_command(&mut self, args: &[&str]) -> Result<String, Refusal> {
        let mut input = Vec::new();
        for arg in args {
            input.extend_from_slice(&(arg.len() as u32).to_le_bytes());
            input.extend_from_slice(arg.as_bytes());
        }
        let mut answer = Buffer::new();
        let command = self.table.command;
        let ended = run(&mut self.host, 0, &input, |call| {
            call.out = &mut answer;
            // SAFETY: `call` is filled in, with the admin's output.
            unsafe { command(call) }
        });
        self.report("command", ended);
        if ended.code != OUTCOME_DONE {
            return Err(self.host.refusal());
        }
        Ok(String::from_utf8_lossy(answer.as_slice()).into_owned())
    }

    /// Serves every client that can go on, then the wake-up that is due.
    pub(super) fn settle(&mut self) {
        self.settle_clients();
        if self.host.wake_at_ms <= self.host.clock.unix_ms {
            self.tick();
        }
    }

    pub(super) fn settle_clients(&mut self) {
        loop {
            if let Some(id) = self.host.closing.pop() {
                self.close(id);
            } else if let Some(id) = self.host.resuming.pop_front() {
                self.resume(id);
            } else if let Some(id) = self.host.ready.pop_front() {
                self.serve(id);
            } else {
                break;
            }
        }
    }

    /// One request of the client, if a whole one may be there.
    fn serve(&mut self, id: ClientId) {
        let Some(client) = self.host.clients.get_mut(&id) else { return };
        let unread = client.unread.len;
        if client.blocked || unread == 0 || (unread as u64) < client.need {
            return;
        }
        client.need = 0;
        // The input leaves the client for the call, so that nothing can move it meanwhile.
        let mut input = core::mem::take(&mut client.unread);
        let ended = self.call_client(self.table.data, id, input.as_slice());
        self.host.calls += 1;
        let used = self.after_request(id, ended, unread);
        input.consume(used);
        if let Some(client) = self.host.clients.get_mut(&id) {
            client.unread = input;
        }
    }

    /// Acts on the outcome of `data`; answers how much input is used up.
    fn after_request(&mut self, id: ClientId, ended: Outcome, unread: usize) -> usize {
        let begun = self.host.begun;
        let announced = (begun != NOT_BEGUN).then_some(begun as usize);
        assert!(announced.unwrap_or(0) <= unread, "begin({begun}) of {unread} unread bytes");
        match ended.code {
            OUTCOME_DONE => {
                let used = ended.consumed as usize;
                assert!(0 < used && used <= unread, "Done({used}) of {unread} unread bytes");
                assert!(
                    announced.is_none_or(|n| n == used),
                    "begin({begun}) and Done({used}) speak of different requests"
                );
                self.host.ready.push_front(id);
                used
            }
            OUTCOME_NEED_MORE => {
                assert!(announced.is_none(), "NeedMore after begin({begun})");
                let need = self.host.need.max(unread as u64 + 1);
                self.host.clients.get_mut(&id).expect("it was served").need = need;
                0
            }
            OUTCOME_BLOCKED => {
                self.host.clients.get_mut(&id).expect("it was served").blocked = true;
                announced.expect("Blocked without begin: nobody knows what to consume")
            }
            OUTCOME_CLOSE => {
                self.close(id);
                unread
            }
            _ => self.after_panic(id, ended, announced, unread),
        }
    }

    fn after_panic(
        &mut self,
        id: ClientId,
        ended: Outcome,
        announced: Option<usize>,
        unread: usize,
    ) -> usize {
        self.host.cut_output();
        self.report("data", ended);
        let message = self.host.message.as_slice().to_vec();
        let ended = match announced {
            Some(_) => self.call_client(self.table.panicked, id, &message),
            None => Outcome::of(OUTCOME_CLOSE),
        };
        if ended.code != OUTCOME_DONE {
            self.close(id);
            return unread;
        }
        self.host.ready.push_front(id);
        announced.unwrap_or(unread)
    }

    fn resume(&mut self, id: ClientId) {
        if !self.is_blocked(id) {
            return;
        }
        let ended = self.call_client(self.table.resume, id, &[]);
        self.host.calls += 1;
        match ended.code {
            OUTCOME_BLOCKED => return,
            OUTCOME_DONE => {}
            OUTCOME_PANICKED => {
                self.host.cut_output();
                self.report("resume", ended);
                let message = self.host.message.as_slice().to_vec();
                let ended = self.call_client(self.table.panicked, id, &message);
                if ended.code != OUTCOME_DONE {
                    return self.close(id);
                }
            }
            _ => return self.close(id),
        }
        if let Some(client) = self.host.clients.get_mut(&id) {
            client.blocked = false;
            self.host.ready.push_back(id);
        }
    }

    /// Closes a client from the server's side: what it was sent stays readable.
    fn close(&mut self, id: ClientId) {
        if let Some(client) = self.host.clients.get(&id) {
            let last = client.out.as_slice().to_vec();
            self.host.farewells.insert(id, last);
            self.remove(id);
        }
    }

    /// Tells the plugin that the client is gone and forgets it.
    pub(super) fn remove(&mut self, id: ClientId) {
        if self.host.clients.contains_key(&id) {
            let ended = self.call_client(self.table.disconnect, id, &[]);
            self.report("disconnect", ended);
            let client = self.host.clients.remove(&id).expect("looked up above");
            super::free_session::<P::Session>(client.session);
        }
    }

    /// Keeps the text of a panic for the test.
    pub(super) fn report(&mut self, function: &str, ended: Outcome) {
        if ended.code == OUTCOME_PANICKED {
            let text = format!("{function}: {}", self.host.message_text());
            self.host.panics.push(text);
        }
    }
}

/// Fills in a call, makes it, and takes over what it left behind.
fn run(
    host: &mut Host,
    id: ClientId,
    input: &[u8],
    function: impl FnOnce(&mut Call) -> Outcome,
) -> Outcome {
    let mut message = core::mem::take(&mut host.message);
    message.truncate(0);
    let message_cap = message.cap;
    host.begin_call(id);
    let (session, out) = match host.clients.get_mut(&id) {
        Some(client) => (client.session, &raw mut client.out),
        None => (core::ptr::null_mut(), core::ptr::null_mut()),
    };
    let mut call = Call {
        size: size_of::<Call>() as u32,
        failed: 0,
        client: id,
        server: core::ptr::from_mut(host).cast(),
        state: host.root,
        session,
        out,
        input: input.as_ptr(),
        input_len: input.len(),
        begun: NOT_BEGUN,
        need: 0,
        unix_ms: host.clock.unix_ms,
        monotonic_ns: host.clock.monotonic_ns,
        wake_at_ms: host.wake_at_ms,
        message: &mut message,
    };
    let before = heap::heap_bytes() - message_cap as i64;
    let ended = function(&mut call);
    host.begun = call.begun;
    host.need = call.need;
    host.failed += u64::from(call.failed);
    host.wake_at_ms = call.wake_at_ms;
    host.end_call(heap::heap_bytes() - message.cap as i64 - before);
    host.message = message;
    ended
}
