//! Goal: clients are listed, closed and woken as in Redis; the one user is shown. Method: exact replies.

mod common;

use common::{One, V1, V2, text, words};
use hotshell_plugin_api::testing::TestServer;

#[test]
fn a_client_is_shown_as_its_level_shows_it() {
    let mut new = One::<V2>::new();
    new.ask("ssubscribe s");
    let list = new.server.connect();
    let list = text(new.server.ask(list, &words("client list")));
    let port = list.split("laddr=127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next());
    assert!(list.contains(" ssub=1 ") && list.contains(" flags=P "), "{list}");
    let killed = new.server.connect();
    let request = format!("client kill laddr 127.0.0.1:{}", port.expect("an address"));
    assert_eq!(new.server.ask(killed, &words(&request)), b":2\r\n");
    let old = One::<V1>::new().ask("client list");
    assert!(old.contains(" psub=0 multi=-1 ") && !old.contains("laddr"), "{old}");
}

#[test]
fn clients_are_closed_by_what_they_are() {
    let mut server = TestServer::<V2>::new();
    let [own, listener, other] = [(); 3].map(|()| server.connect());
    server.ask(listener, &words("subscribe news"));
    let mut ask = |line: &str| text(server.ask(own, &words(line)));
    assert_eq!(ask("client kill id 0"), "-ERR client-id should be greater than 0\r\n");
    assert_eq!(ask("client kill type robot"), "-ERR Unknown client type 'robot'\r\n");
    assert_eq!(ask("client kill user bob"), "-ERR No such user 'bob'\r\n");
    assert_eq!(ask("client kill skipme maybe"), "-ERR syntax error\r\n");
    assert_eq!(ask("client kill 10.0.0.1:1"), "-ERR No such client\r\n");
    assert_eq!(ask("client kill type pubsub"), ":1\r\n");
    assert_eq!(ask(&format!("client kill id {own}")), ":0\r\n", "it is spared");
    assert!(!server.is_connected(listener) && server.is_connected(other));
    let reply = server.ask(own, &words(&format!("client kill id {own} skipme no")));
    assert_eq!(text(reply), ":1\r\n", "the reply comes before the end");
    assert!(!server.is_connected(own));
}

#[test]
fn clients_that_wait_are_woken_with_or_without_an_error() {
    let mut server = TestServer::<V2>::new();
    let [own, waiter] = [(); 2].map(|()| server.connect());
    for (reason, reply) in [
        ("", "*-1\r\n"),
        (" timeout", "*-1\r\n"),
        (" error", "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"),
    ] {
        server.feed(waiter, &words("blpop list 0"));
        assert!(server.is_blocked(waiter));
        let line = format!("client unblock {waiter}{reason}");
        assert_eq!(text(server.ask(own, &words(&line))), ":1\r\n");
        assert_eq!(text(server.read(waiter)), reply);
        assert_eq!(text(server.ask(own, &words(&line))), ":0\r\n", "it waits no more");
    }
    let refused = server.ask(own, &words("client unblock 1 gently"));
    assert_eq!(text(refused), "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n");
}

#[test]
fn consumers_hear_that_their_stream_is_gone_however_it_went() {
    for (prepare, end) in [
        ("ping", "del s"),
        ("ping", "flushdb"),
        ("ping", "move s 1"),
        ("ping", "swapdb 0 1"),
        ("ping", "set s v"),
        ("pexpire s 100", ""),
    ] {
        let mut server = TestServer::<V2>::new();
        let [own, waiter] = [(); 2].map(|()| server.connect());
        server.ask(own, &["xgroup create s g $ mkstream", prepare].map(words).concat());
        server.feed(waiter, &words("xreadgroup group g c block 0 streams s >"));
        assert!(server.is_blocked(waiter));
        match end {
            "" => server.advance(5000),
            line => drop(server.ask(own, &words(line))),
        }
        let expected = "-UNBLOCKED the stream key no longer exists\r\n";
        assert_eq!(text(server.read(waiter)), expected, "{prepare}; {end}");
    }
}

#[test]
fn lists_of_clients_have_filters() {
    let mut one = One::<V2>::new();
    let own = one.client;
    assert!(one.ask("client list").contains(&format!("id={own} ")));
    assert!(one.ask(&format!("client list id {own} 99")).contains(&format!("id={own} ")));
    one.check(&[
        ("client list type pubsub", "$0|"),
        ("client list type robot", "-ERR Unknown client type 'robot'"),
        ("client list id x", "-ERR Invalid client ID"),
        ("client list what", "-ERR syntax error"),
        ("client no-evict on", "+OK"),
        ("client no-evict maybe", "-ERR syntax error"),
    ]);
    assert!(one.ask("client info").contains(" flags=e "));
}

#[test]
fn the_one_user_is_shown_and_rules_are_refused() {
    let mut one = One::<V2>::new();
    one.check(&[
        ("acl whoami", "$7|default"),
        ("acl users", "*1|$7|default"),
        ("acl list", "*1|$34|user default on nopass ~* &* +@all"),
        ("acl getuser nobody", "*-1"),
        ("acl cat none", "-ERR Unknown category 'none'"),
        ("acl genpass 5000", "-ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096"),
        ("acl log", "*0"),
        ("acl log reset", "+OK"),
        (
            "acl setuser bob on",
            "-ERR ACL users and rules are not supported by this server. Use CONFIG SET requirepass \
             for a password.",
        ),
    ]);
    assert!(one.ask("acl cat").starts_with("*21\r\n$8\r\nkeyspace\r\n"));
    assert!(one.ask("acl cat geo").contains("$6\r\ngeoadd\r\n"));
    assert_eq!(one.ask("acl genpass 5").len(), "$2\r\nab\r\n".len());
    one.check(&[("config set requirepass x", "+OK"), ("auth x", "+OK")]);
    let hash = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    assert!(one.ask("acl list").contains(&format!("user default on #{hash} ~* &* +@all")));
    One::<V1>::new().check(&[(
        "acl whoami",
        "-ERR unknown command `acl`, with args beginning with: `whoami`, ",
    )]);
}

#[test]
fn keys_of_requests_are_found() {
    let mut one = One::<V2>::new();
    one.check(&[
        ("command getkeys get a", "*1|$1|a"),
        ("command getkeys mset a 1 b 2", "*2|$1|a|$1|b"),
        ("command getkeys zunionstore d 2 a b weights 1 2", "*3|$1|d|$1|a|$1|b"),
        ("command getkeys lmpop 2 a b left", "*2|$1|a|$1|b"),
        ("command getkeys xread count 2 streams a b 0 0", "*2|$1|a|$1|b"),
        ("command getkeys sort a by x store d", "*2|$1|a|$1|d"),
        ("command getkeys georadius a 1 2 3 m storedist d", "*2|$1|a|$1|d"),
        ("command getkeys ping x", "-ERR The command has no key arguments"),
        ("command getkeys nothing a", "-ERR Invalid command specified"),
        ("command getkeys get a b", "-ERR Invalid number of arguments specified for command"),
        ("command getkeys lmpop x a left", "-ERR Invalid arguments specified for command"),
        ("command getkeysandflags get a", "*1|*2|$1|a|*2|+RO|+access"),
        (
            "command getkeysandflags lmove a b left left",
            "*2|*2|$1|a|*3|+RW|+access|+delete|*2|$1|b|*2|+RW|+insert",
        ),
        ("command list filterby pattern xinfo", "*1|$5|xinfo"),
        ("command list filterby module x", "*0"),
        ("command list filterby what x", "-ERR syntax error"),
    ]);
    assert!(one.ask("command list filterby aclcat geo").starts_with("*10\r\n"));
    assert!(one.ask("command info config|get").contains("config|get"));
}
