//! Goal: a configuration is what it says, or an error that names the place. Method: texts in, texts
//! out.

use std::path::Path;

use super::*;

fn setting(name: &str, text: &str) -> Setting {
    let key = KEYS.iter().find(|key| key.name == name).expect("a key");
    Setting { key, text: text.to_owned(), origin: format!("--{name}") }
}

fn read(text: &str, flags: Flags) -> Result<Config> {
    let config = Config::combine(file::parse(Path::new("/etc/h.toml"), text)?, &flags)?;
    config.check().map(|()| config)
}

fn refusal(text: &str) -> String {
    let error = read(text, Flags::default()).expect_err(text);
    assert_eq!(error.code.exit_code(), 2);
    error.to_string()
}

#[test]
fn one_server_needs_no_table_and_flags_go_before_the_file() {
    let file =
        "plugin = '/a.so'\nmax_clients = 5\nlog-format = 'json'\n[config]\nn = 1_0\nb = true\n";
    let flags = Flags { settings: vec![setting("max-clients", "7")], ..Flags::default() };
    let config = read(file, flags).expect("fine");
    let [server] = config.servers.as_slice() else { panic!("one server") };
    assert_eq!((server.name.as_str(), server.plugin.as_path()), ("main", Path::new("/a.so")));
    assert_eq!(server.limits.max_clients, 7);
    assert_eq!(server.listen.to_string(), DEFAULT_LISTEN);
    assert_eq!(config.host.log_format, LogFormat::Json);
    let texts: Vec<_> = server.config.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(texts, [("b", "true"), ("n", "10")]);
}

#[test]
fn several_servers_share_limits_and_read_back_what_was_printed() {
    let file = "max-clients = 5\nadmin = '/run/a.sock'\n\
                [server.a]\nplugin = '/a.so'\nlisten = 0\n[server.a.config]\ntitle = 'x \"y\"'\n\
                [server.b]\nplugin = '/b.so'\nlisten = '127.0.0.1:1'\nmax-unsent-bytes = '2MiB'\n\
                watch = true\n";
    let config = read(file, Flags::default()).expect("fine");
    assert_eq!(config.servers[0].limits.max_clients, 5);
    assert_eq!(config.servers[1].limits.max_unsent_bytes, 2 << 20);
    let again = read(&config.to_toml(), Flags::default()).expect("it can be read back");
    assert_eq!(config, again);
    let flags = Flags { settings: vec![setting("listen", "7")], ..Flags::default() };
    let error = read(file, flags).expect_err("which one?");
    assert_eq!(
        error.to_string(),
        "--listen = '7' is refused: the file has several servers: a, b; name the one it is about \
         with --name"
    );
    let settings = vec![setting("listen", "7")];
    let flags = Flags { settings, name: Some("b".to_owned()), ..Flags::default() };
    assert_eq!(read(file, flags).expect("fine").servers[1].listen.port(), 7);
}

#[test]
fn refusals_name_file_line_and_key() {
    let cases = [
        (
            "\nmax-client = 5",
            "/etc/h.toml:2: unknown key 'max-client': no key has this name; did you mean \
             'max-clients'?",
        ),
        (
            "[server.a]\nplugin = '/a'\nplugni = 1",
            "/etc/h.toml:3: unknown key 'plugni' in [server.a]: no key has this name; did you \
             mean 'plugin'?",
        ),
        (
            "[servers.a]\nplugin = '/a'",
            "/etc/h.toml:1: unknown key 'servers': no key has this name; did you mean 'server'?",
        ),
        (
            "max-clients = 1\nmax_clients = 2",
            "/etc/h.toml:2: max_clients = '2' is refused: it is given already, at /etc/h.toml:1: \
             max-clients; remove one of the two",
        ),
        (
            "plugin = [1]",
            "/etc/h.toml:1: plugin is refused: it is array, not a single value; give one value",
        ),
        (
            "\n\nmax-resident = 1",
            "/etc/h.toml:3: max-resident = '1' is refused: it must be a number, at least 3; see \
             `hotshell serve --help`",
        ),
        (
            "listen = 'nowhere'",
            "/etc/h.toml:1: listen = 'nowhere' is refused: it must be HOST:PORT, as in \
             127.0.0.1:6380 or [::]:6380; see `hotshell serve --help`",
        ),
        (
            "fsync = 'never'",
            "/etc/h.toml:1: fsync = 'never' is refused: it must be always, everysec or no; see \
             `hotshell serve --help`",
        ),
        (
            "",
            "server 'main' has no plugin: nothing says which to start; pass --plugin FILE.so, or \
             set plugin in [server.main]",
        ),
        (
            "plugin = '/a'\n[server.a]\n",
            "/etc/h.toml:1: plugin = '/a' is refused: with [server.NAME] tables it belongs to one \
             of them; move it into [server.a]",
        ),
        (
            "[server.a]\nplugin = '/a'\n[server.b]\nplugin='/b'",
            "servers 'a' and 'b' listen on one address: 127.0.0.1:6380; set another listen in \
             [server.b]",
        ),
        (
            "[server.a]\nadmin = '/a'",
            "/etc/h.toml:2: admin = '/a' is refused: it belongs to the host, not to a server; move \
             it above the first table",
        ),
    ];
    for (file, expected) in cases {
        assert_eq!(refusal(file), expected);
    }
    assert!(refusal("a = = 1").starts_with("/etc/h.toml:1: not TOML: "));
}

#[test]
fn every_key_is_explained_on_one_line() {
    for key in KEYS {
        assert!(!key.help.contains('\n') && !key.help.ends_with('.'), "{}", key.name);
    }
}
