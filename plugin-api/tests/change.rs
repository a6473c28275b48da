//! Goal: a request that panics or fails in the middle changes nothing where the plugin works on a value and puts
//! it back in one step. Method: transfers between two accounts that lie in one entry, in a test server.

use hotshell_plugin_api::collections::HashMap;
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::testing::TestServer;

/// Pairs of accounts.
#[state]
pub struct Bank {
    pairs: HashMap<u32, Pair>,
}

/// Two accounts.
#[state]
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    mine: u64,
    yours: u64,
}

struct App;

fn give(pair: &mut Pair, amount: u64) -> Result<(), &'static str> {
    pair.yours += amount;
    assert!(amount != 13, "in the middle");
    pair.mine = pair.mine.checked_sub(amount).ok_or("not enough")?;
    Ok(())
}

impl Plugin for App {
    type State = Bank;
    type Session = ();

    fn init(_: &mut InitCtx<'_>) -> Result<Bank, Refusal> {
        let mut bank = Bank::default();
        bank.pairs.insert(1, Pair { mine: 100, yours: 0 });
        Ok(bank)
    }

    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let Some(line) = framing::line(unread) else { return Flow::NeedMore };
        ctx.begin(line.consumed);
        let amount = std::str::from_utf8(line.text).expect("digits").parse().expect("a number");
        let pair = ctx.state.pairs.get_mut(&1).expect("it is there");
        let said = match change::whole_if(pair, |pair| give(pair, amount)) {
            Ok(()) => "done\n",
            Err(why) => why,
        };
        ctx.out.put(said.as_bytes());
        Flow::Done(line.consumed)
    }

    fn panicked(ctx: &mut Ctx<'_, Self>, message: &str) -> Flow {
        ctx.out.put(message.as_bytes());
        Flow::Done(0)
    }
}

#[test]
fn a_request_that_panics_or_fails_in_the_middle_changes_nothing() {
    let mut server = TestServer::<App>::new();
    let client = server.connect();
    let pair = |server: &TestServer<App>| server.state().pairs[&1].clone();
    for (amount, said, mine) in [
        ("30\n", "done\n", 70),
        ("13\n", "in the middle", 70),
        ("71\n", "not enough", 70),
        ("70\n", "done\n", 0),
    ] {
        assert_eq!(String::from_utf8_lossy(&server.ask(client, amount.as_bytes())), said);
        assert_eq!(pair(&server), Pair { mine, yours: 100 - mine }, "{amount}");
    }
    assert_eq!(server.panics().len(), 1);
}

#[test]
fn what_was_worked_on_takes_the_place_of_the_value_at_the_end() {
    let mut pair = Pair { mine: 1, yours: 2 };
    let before = change::whole(&mut pair, |pair| std::mem::replace(&mut pair.mine, 5));
    assert_eq!((before, pair), (1, Pair { mine: 5, yours: 2 }));
}
