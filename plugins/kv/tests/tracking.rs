//! Goal: clients that keep copies hear of every change, once, and of nothing else. Method: several clients
//! of one server; what Redis 7 sends is written down here.

mod common;

use common::{One, V1, V2, text, words};
use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::plugin::Plugin;
use hotshell_plugin_api::testing::TestServer;

/// A server with a client of RESP3 that tracks, and one that writes.
struct Pair {
    server: TestServer<V2>,
    reader: ClientId,
    writer: ClientId,
}

impl Pair {
    fn new(options: &str) -> Self {
        let mut server = TestServer::new();
        let (reader, writer) = (server.connect(), server.connect());
        server.ask(reader, &words("hello 3"));
        let mut pair = Self { server, reader, writer };
        pair.read(&format!("client tracking on{options}"), "+OK");
        pair
    }

    #[track_caller]
    fn read(&mut self, line: &str, reply: &str) {
        check(&mut self.server, self.reader, line, reply);
    }

    /// The writer asks; what the reader hears of it, `|` for a line break.
    #[track_caller]
    fn write(&mut self, line: &str, heard: &str) {
        self.server.ask(self.writer, &words(line));
        let expected = if heard.is_empty() { String::new() } else { lines(heard) };
        assert_eq!(text(self.server.read(self.reader)), expected, "{line}");
    }
}

fn lines(short: &str) -> String {
    format!("{}\r\n", short.replace('|', "\r\n"))
}

#[track_caller]
fn check<P: Plugin>(server: &mut TestServer<P>, client: ClientId, line: &str, reply: &str) {
    assert_eq!(text(server.ask(client, &words(line))), lines(reply), "{line}");
}

#[test]
fn a_reader_hears_once_of_a_key_that_it_read() {
    let mut pair = Pair::new("");
    pair.read("get a", "_");
    pair.read("mget b c", "*2|_|_");
    pair.write("set a 1", ">2|$10|invalidate|*1|$1|a");
    pair.write("set a 2", "");
    pair.write("get b", "");
    pair.write("rpush c x", ">2|$10|invalidate|*1|$1|c");
    pair.read("lrange c 0 -1", "*1|$1|x");
    pair.read("set a 3", "+OK");
    pair.write("set a 4", "");
    pair.write("del c", ">2|$10|invalidate|*1|$1|c");
}

#[test]
fn what_was_read_is_noted_while_nobody_tracks_until_somebody_leaves() {
    let mut pair = Pair::new("");
    pair.read("mget a b", "*2|_|_");
    pair.read("client tracking off", "+OK");
    pair.write("set a 1", "");
    pair.read("client tracking on", "+OK");
    pair.write("set a 2", "");
    pair.write("set b 1", ">2|$10|invalidate|*1|$1|b");
    pair.read("get b", "$1|1");
    pair.read("client tracking off", "+OK");
    let other = pair.server.connect();
    pair.server.disconnect(other);
    pair.read("client tracking on", "+OK");
    pair.write("set b 2", "");
}

#[test]
fn more_keys_are_not_noted_than_the_limit_says() {
    let mut pair = Pair::new("");
    pair.read("config set tracking-table-max-keys 2", "+OK");
    pair.read("get a", "_");
    pair.read("get b", "_");
    let heard = text(pair.server.ask(pair.reader, &words("get c")));
    let one_of_them = ["a", "b", "c"].map(|key| lines(&format!("_|>2|$10|invalidate|*1|$1|{key}")));
    assert!(one_of_them.contains(&heard), "{heard}");
    pair.read("config set tracking-table-max-keys 0", "+OK");
    pair.read("mget d e f g", "*4|_|_|_|_");
}

#[test]
fn a_client_hears_of_its_own_change_behind_the_reply_unless_it_wants_not_to() {
    let mut pair = Pair::new("");
    pair.read("get a", "_");
    pair.read("set a 1", "+OK|>2|$10|invalidate|*1|$1|a");
    let mut pair = Pair::new(" noloop");
    pair.read("get a", "_");
    pair.read("set a 1", "+OK");
    pair.read("get a", "$1|1");
    pair.write("incr a", ">2|$10|invalidate|*1|$1|a");
}

#[test]
fn what_a_transaction_reads_and_changes_is_told_behind_it() {
    let mut pair = Pair::new("");
    pair.server.ask(pair.reader, &["multi", "get a", "set a 1", "get b"].map(words).concat());
    pair.read("exec", "*3|_|+OK|_|>2|$10|invalidate|*1|$1|a");
    pair.write("set b 1", ">2|$10|invalidate|*1|$1|b");
}

#[test]
fn whoever_listens_to_prefixes_hears_of_each_change_of_such_keys() {
    let mut pair = Pair::new(" bcast prefix user: prefix item:");
    pair.write("set user:1 a", ">2|$10|invalidate|*1|$6|user:1");
    pair.write("set other b", "");
    pair.write(
        "mset item:2 x item:1 y user:1 z",
        "\
>2|$10|invalidate|*2|$6|item:1|$6|item:2|>2|$10|invalidate|*1|$6|user:1",
    );
    pair.read(
        "client tracking on bcast prefix item:9",
        "-ERR Prefix 'item:9' overlaps with an existing prefix 'item:'. Prefixes for a single \
         client must not overlap.",
    );
    pair.read("client tracking off", "+OK");
    pair.write("set user:1 b", "");
}

#[test]
fn a_prefix_hears_of_changes_from_its_beginning_on() {
    let mut pair = Pair::new(" bcast prefix a");
    let transaction = ["multi", "set a 1", "client tracking on bcast", "set a2 2"];
    pair.server.ask(pair.reader, &transaction.map(words).concat());
    let told = "|>2|$10|invalidate|*1|$2|a2|>2|$10|invalidate|*2|$1|a|$2|a2";
    pair.read("exec", &format!("*3|+OK|+OK|+OK{told}"));
}

#[test]
fn what_a_client_that_waited_took_is_its_own_change() {
    let mut pair = Pair::new(" bcast noloop");
    pair.server.feed(pair.reader, &words("bzpopmin z 0"));
    pair.write("zadd z 1 a 2 b", "*3|$1|z|$1|a|,1");
    pair.write("zadd z 3 c", ">2|$10|invalidate|*1|$1|z");
}

#[test]
fn a_command_that_fails_may_have_named_keys_which_are_noted() {
    let mut pair = Pair::new("");
    pair.read("sintercard 01 s t", "-ERR numkeys should be greater than 0");
    pair.write("sadd s a", ">2|$10|invalidate|*1|$1|s");
    pair.write("sadd t a", "");
}

#[test]
fn only_announced_reads_are_noted_with_optin_and_all_others_with_optout() {
    let mut pair = Pair::new(" optin");
    pair.read("get a", "_");
    pair.write("set a 1", "");
    pair.read("client caching yes", "+OK");
    pair.read("get a", "$1|1");
    pair.read("get b", "_");
    pair.write("set b 1", "");
    pair.write("set a 2", ">2|$10|invalidate|*1|$1|a");
    let mut pair = Pair::new(" optout");
    pair.read("client caching no", "+OK");
    pair.read("get a", "_");
    pair.read("get b", "_");
    pair.write("set a 1", "");
    pair.write("set b 1", ">2|$10|invalidate|*1|$1|b");
}

#[test]
fn an_announced_read_that_is_refused_was_the_announced_one() {
    let mut pair = Pair::new(" optin");
    pair.read("client caching yes", "+OK");
    pair.read("get a b", "-ERR wrong number of arguments for 'get' command");
    pair.read("get a", "_");
    pair.write("set a 1", "");
}

#[test]
fn a_key_that_ends_and_a_flush_are_told() {
    let mut pair = Pair::new("");
    pair.server.ask(pair.writer, &words("set a 1 px 100"));
    pair.read("get a", "$1|1");
    pair.server.advance(5000);
    assert_eq!(text(pair.server.read(pair.reader)), lines(">2|$10|invalidate|*1|$1|a"));
    pair.read("get b", "_");
    pair.write("flushdb", ">2|$10|invalidate|_");
    pair.write("set b 1", "");
}

#[test]
fn a_client_of_resp2_hears_through_another_that_is_subscribed() {
    let mut server = TestServer::<V2>::new();
    let [reader, hearer, writer] = [(); 3].map(|()| server.connect());
    server.ask(hearer, &words("subscribe __redis__:invalidate"));
    let id = text(server.ask(reader, &words("client id")));
    assert_eq!(id, format!(":{reader}\r\n"));
    let line = format!("client tracking on redirect {hearer}");
    check(&mut server, reader, &line, "+OK");
    check(&mut server, reader, "client getredir", &format!(":{hearer}"));
    check(&mut server, reader, "get a", "$-1");
    server.ask(writer, &words("set a 1"));
    let heard = lines("*3|$7|message|$20|__redis__:invalidate|*1|$1|a");
    assert_eq!(text(server.read(hearer)), heard);
    assert_eq!(text(server.read(reader)), "");
}

#[test]
fn what_is_in_force_is_shown_and_survives_a_swap_to_the_version_without_it() {
    let mut pair = Pair::new(" optin noloop");
    let shown = "%3|$5|flags|~3|$2|on|$5|optin|$6|noloop|$8|redirect|:0|$8|prefixes|*0";
    pair.read("client trackinginfo", shown);
    pair.read("client caching yes", "+OK");
    pair.read("get a", "_");
    let Pair { server, reader, writer } = pair;
    let mut server = server.swap_to::<V1>().unwrap();
    let all_gone = lines(">2|$10|invalidate|_");
    assert_eq!(text(server.read(reader)), all_gone, "what other versions hold is not here");
    server.ask(writer, &words("set a 1"));
    assert_eq!(text(server.read(reader)), "", "it keeps no copy of it any more");
    let mut server = server.swap_to::<V2>().unwrap();
    assert_eq!(text(server.read(reader)), all_gone);
    check(&mut server, reader, "client trackinginfo", shown);
    check(&mut server, reader, "reset", "+RESET");
    check(&mut server, reader, "client getredir", ":-1");
}

#[test]
fn options_that_do_not_go_together_are_refused_with_the_texts_of_redis() {
    let mut one = One::<V2>::new();
    one.check(&[
        ("client tracking on prefix a", "-ERR PREFIX option requires BCAST mode to be enabled"),
        ("client tracking on bcast optin", "-ERR OPTIN and OPTOUT are not compatible with BCAST"),
        ("client tracking on optin optout", "-ERR You can't use both OPTIN mode and OPTOUT mode"),
        ("client tracking maybe", "-ERR syntax error"),
        (
            "client tracking on redirect 99",
            "-ERR The client ID you want redirect to does not exist",
        ),
        (
            "client tracking on bcast prefix a prefix ab",
            "-ERR Prefix 'a' overlaps with another provided prefix 'ab'. Prefixes for a single \
             client must not overlap.",
        ),
        (
            "client caching yes",
            "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN \
             or OPTOUT mode enabled",
        ),
        ("client trackinginfo", "*6|$5|flags|*1|$3|off|$8|redirect|:-1|$8|prefixes|*0"),
    ]);
}
