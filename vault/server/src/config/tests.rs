#![allow(clippy::unwrap_used)]

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::*;

/// A folder with a `lethe.toml` of this text.
fn folder(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(DEFAULT_FILE);
    std::fs::write(&file, text).unwrap();
    (folder, file)
}

fn load(text: &str) -> Result<Config, ConfigError> {
    let (_folder, file) = folder(text);
    Loader::new().file(&file).finish()
}

fn variables<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (OsString, OsString)> + 'a {
    pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)))
}

/// Key, line and reason of the only problem.
fn problem(result: Result<Config, ConfigError>) -> (String, Option<usize>, String) {
    let error = result.unwrap_err();
    assert_eq!(error.problems().len(), 1, "{error}");
    let problem = error.problems()[0].clone();
    let line = match problem.origin {
        Origin::File { line, .. } => line,
        Origin::Default | Origin::Variable(_) | Origin::Flag(_) | Origin::Given => None,
    };
    (problem.key.unwrap_or_default(), line, problem.reason)
}

#[test]
fn nothing_at_all_is_an_embedded_instance_on_loopback() {
    let config = Loader::new().file_if_present(Path::new("/nonexistent")).finish().unwrap();
    assert_eq!(config, Config::default());
    assert!(config.listen.ip().is_loopback());
    assert_eq!(config.root_replicas(), [Path::new("./lethe-data/root/vault.root")]);
    config.validate().unwrap();
}

#[test]
fn every_key_can_stand_in_a_file() {
    let text = r#"
        listen = "0.0.0.0:8443"
        data_dir = "/var/lib/lethe"
        region = "eu-central"
        [root]
        store = "pkcs11"
        from = "file"
        from_credential_file = "/etc/lethe/root-before"
        replicas = ["/mnt/a/r", "/mnt/b/r"]
        from_replicas = ["/mnt/d/r"]
        credential_file = "/etc/lethe/root"
        probe_interval_s = 5
        [pkcs11]
        module = "/usr/lib/token.so"
        token = "roots"
        serial = "7"
        pin_file = "/etc/lethe/pin"
        name = "vault"
        stands_alone = true
        [transit]
        address = "https://bao:8200"
        ca_file = "/etc/lethe/ca.pem"
        token_file = "/etc/lethe/token"
        namespace = "ns"
        mount = "t"
        kv_mount = "kv"
        name = "vault"
        [tpm]
        tcti = "tabrmd"
        auth_file = "/etc/lethe/tpm"
        owner_auth_file = "/etc/lethe/owner"
        first_index = 0x0180_0000
        min_interval_s = 60
        [mirror]
        paths = ["/mnt/c/m"]
        [backup]
        path = "/mnt/d/b"
        [metrics]
        listen = "[::1]:9464"
        [tls]
        cert = "/etc/lethe/cert.pem"
        key = "/etc/lethe/key.pem"
        client_ca = "/etc/lethe/clients.pem"
        client_optional = true
        [limits]
        connections = 64
        connection_age_ms = 60_000
        message_bytes = 0x10_0000
        concurrency = 8
        templates = 4
        deadline_ms = 1_000
        batch_in_flight = 16
        queue = 32
        [storage]
        cache_mib = 64
        reserve_mib = 128
        [erasure]
        window_ms = 0
        least_interval_ms = 60_000
        [retention]
        interval_s = 60
        clock_right_until = 2030-01-01T00:00:00Z
        [search]
        threads = 2
        memory_mib = 64
        [approvals]
        lifetime_ms = 86_400_000
        [access]
        second_factor = "required"
        identity_providers = "/etc/lethe/providers.toml"
        [attestation]
        audience = "vault-eu"
        [log]
        format = "json"
        filter = "warn,lethe_vault=debug"
    "#;
    let names = keys::KEYS.iter().map(|key| key.name.rsplit('.').next().unwrap());
    // Not beside the credentials that stand here: see `files_are_sealed_under_one_thing`.
    for name in names.filter(|name| !name.ends_with("passphrase_file")) {
        assert!(text.contains(&format!("{name} =")), "{name} is not covered here");
    }
    let expected = Config {
        listen: "0.0.0.0:8443".parse().unwrap(),
        data_dir: "/var/lib/lethe".into(),
        region: Some(Region::parse("region", "eu-central").unwrap()),
        root: RootConfig {
            store: StoreKind::Pkcs11,
            from: Some(StoreKind::File),
            replicas: vec!["/mnt/a/r".into(), "/mnt/b/r".into()],
            from_replicas: vec!["/mnt/d/r".into()],
            credential_file: Some("/etc/lethe/root".into()),
            from_credential_file: Some("/etc/lethe/root-before".into()),
            probe_interval_s: Some(5),
            passphrase_file: None,
            from_passphrase_file: None,
        },
        pkcs11: Pkcs11Config {
            module: "/usr/lib/token.so".into(),
            token: "roots".into(),
            serial: Some("7".into()),
            pin_file: "/etc/lethe/pin".into(),
            name: Some("vault".into()),
            stands_alone: true,
        },
        transit: TransitConfig {
            address: "https://bao:8200".into(),
            ca_file: Some("/etc/lethe/ca.pem".into()),
            token_file: "/etc/lethe/token".into(),
            namespace: Some("ns".into()),
            mount: Some("t".into()),
            kv_mount: Some("kv".into()),
            name: Some("vault".into()),
        },
        tpm: TpmConfig {
            tcti: Some("tabrmd".into()),
            auth_file: "/etc/lethe/tpm".into(),
            owner_auth_file: Some("/etc/lethe/owner".into()),
            first_index: Some(0x0180_0000),
            min_interval_s: Some(60),
        },
        mirror: MirrorConfig { paths: Some(vec!["/mnt/c/m".into()]) },
        backup: BackupConfig { path: Some("/mnt/d/b".into()) },
        metrics: Metrics { listen: Some("[::1]:9464".parse().unwrap()) },
        tls: Some(TlsConfig {
            cert: "/etc/lethe/cert.pem".into(),
            key: "/etc/lethe/key.pem".into(),
            client_ca: Some("/etc/lethe/clients.pem".into()),
            client_optional: true,
        }),
        limits: Limits {
            message_bytes: 1 << 20,
            connections: 64,
            connection_age_ms: 60_000,
            concurrency: 8,
            templates: 4,
            deadline_ms: 1000,
            batch_in_flight: 16,
            queue: 32,
        },
        storage: Storage { cache_mib: 64, reserve_mib: 128 },
        erasure: Erasure { window_ms: 0, least_interval_ms: 60_000 },
        retention: Retention {
            interval_s: 60,
            clock_right_until: Some(lethe_domain::Timestamp::from_millis(1_893_456_000_000)),
        },
        search: Search { threads: Some(2), memory: Some(64 << 20) },
        approvals: Approvals { lifetime_ms: 86_400_000 },
        access: Access {
            second_factor: Some(SecondFactorRule::Required),
            identity_providers: Some("/etc/lethe/providers.toml".into()),
        },
        attestation: Attestation { audience: "vault-eu".to_owned() },
        log: Log { format: LogFormat::Json, filter: "warn,lethe_vault=debug".into() },
    };
    assert_eq!(load(text).unwrap(), expected);
}

#[test]
fn layers_rank_defaults_file_environment_flags() {
    let (_folder, file) = folder("[limits]\nconcurrency = 1\nqueue = 1\nbatch_in_flight = 1\n[search]\nthreads = 1");
    let environment = [("LETHE__LIMITS__CONCURRENCY", "2"), ("LETHE__LIMITS__QUEUE", "2"), ("LETHE_KEY", "x")];
    let config = Loader::new()
        .file(&file)
        .environment(variables(&environment))
        .set("--set", "limits.concurrency", OsStr::new("3"))
        .finish()
        .unwrap();
    assert_eq!(config.limits.concurrency, 3);
    assert_eq!(config.limits.queue, 2);
    assert_eq!(config.limits.batch_in_flight, 1);
    assert_eq!(config.search.threads, Some(1));
    assert_eq!(config.limits.deadline_ms, Config::default().limits.deadline_ms);
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let (key, line, reason) = problem(load("listen = \"[::1]:1\"\n\n[limits]\nconcurency = 3\n"));
    assert_eq!((key.as_str(), line), ("limits.concurency", Some(4)));
    assert!(reason.contains("limits.concurrency"), "{reason}");

    let (key, line, _) = problem(load("\n[limit]\nqueue = 3\n"));
    assert_eq!((key.as_str(), line), ("limit", Some(2)));

    let (key, line, _) = problem(load("root.replicas.first = \"x\""));
    assert_eq!((key.as_str(), line), ("root.replicas", Some(1)));
}

#[test]
fn a_section_without_keys_is_no_key() {
    let (key, line, reason) = problem(load("limits = 3"));
    assert_eq!((key.as_str(), line), ("limits", Some(1)));
    assert!(reason.contains("section"), "{reason}");
}

#[test]
fn a_value_of_another_type_is_named_with_its_line() {
    for (text, key, wanted) in [
        ("listen = 7443", "listen", "a string, found an integer"),
        ("listen = \"localhost:7443\"", "listen", "an IP address"),
        ("[limits]\nqueue = \"many\"", "limits.queue", "whole number"),
        ("[limits]\nqueue = 1.5", "limits.queue", "found a float"),
        ("[limits]\nqueue = -1", "limits.queue", "not negative"),
        ("[limits]\nqueue = 99999999999999999999", "limits.queue", "whole number"),
        ("[root]\nreplicas = \"x\"", "root.replicas", "an array of strings"),
        ("[root]\nreplicas = [1]", "root.replicas", "a string, found an integer"),
        ("[root]\nreplicas = []", "root.replicas", "is empty"),
        ("[log]\nformat = \"xml\"", "log.format", "`text` or `json`"),
        ("data_dir = true", "data_dir", "found a boolean"),
    ] {
        let (found, line, reason) = problem(load(text));
        assert_eq!((found.as_str(), line), (key, Some(text.lines().count())), "{text}");
        assert!(reason.contains(wanted), "{text}: {reason}");
    }
}

#[test]
fn a_value_out_of_range_is_named_with_its_line() {
    for (text, key) in [
        ("message_bytes = 65_535", "limits.message_bytes"),
        ("message_bytes = 67_108_865", "limits.message_bytes"),
        ("connections = 0", "limits.connections"),
        ("connections = 65_537", "limits.connections"),
        ("connection_age_ms = 999", "limits.connection_age_ms"),
        ("concurrency = 0", "limits.concurrency"),
        ("deadline_ms = 99", "limits.deadline_ms"),
        ("batch_in_flight = 0", "limits.batch_in_flight"),
        ("queue = 1_048_577", "limits.queue"),
    ] {
        let (found, line, reason) = problem(load(&format!("[limits]\n\n{text}")));
        assert_eq!((found.as_str(), line), (key, Some(3)), "{text}");
        assert!(reason.contains("out of range"), "{text}: {reason}");
    }
    for (text, key) in [
        ("[storage]\ncache_mib = 7", "storage.cache_mib"),
        ("[storage]\nreserve_mib = 0", "storage.reserve_mib"),
        ("[erasure]\nwindow_ms = 10001", "erasure.window_ms"),
        ("[erasure]\nleast_interval_ms = 3600001", "erasure.least_interval_ms"),
        ("[root]\nprobe_interval_s = 0", "root.probe_interval_s"),
        ("[root]\nprobe_interval_s = 86401", "root.probe_interval_s"),
        ("[search]\nthreads = 0", "search.threads"),
        ("[search]\nmemory_mib = 15", "search.memory_mib"),
        ("[log]\nfilter = \"a=b=c\"", "log.filter"),
        ("[root]\nreplicas = [\"/a\", \"/a\"]", "root.replicas"),
    ] {
        let (found, line, _) = problem(load(text));
        assert_eq!((found.as_str(), line), (key, Some(2)), "{text}");
    }
}

#[test]
fn broken_toml_is_refused_with_its_line() {
    let (_, line, reason) = problem(load("listen = \"[::1]:1\"\ndata_dir = \n"));
    assert_eq!(line, Some(2), "{reason}");
    let (_, line, reason) = problem(load("[log]\nfilter = \"a\"\nfilter = \"b\"\n"));
    assert_eq!(line, Some(3), "{reason}");
}

#[test]
fn a_named_file_must_exist() {
    let (key, _, reason) = problem(Loader::new().file(Path::new("/nonexistent")).finish());
    assert_eq!(key, "");
    assert!(reason.contains("cannot be read"), "{reason}");
}

#[test]
fn bad_variables_are_named() {
    for (name, value, reason) in [
        ("LETHE__LIMITS__CONCURENCY", "3", "no such key"),
        ("LETHE__LIMITS__CONCURRENCY", "three", "whole number"),
        ("LETHE__LIMITS__CONCURRENCY", "0", "out of range"),
        ("LETHE__LISTEN", "everywhere", "IP address"),
        ("LETHE__LIMITS", "3", "section"),
        ("LETHE__", "3", "no such key"),
    ] {
        let pairs = [(name, value)];
        let error = Loader::new().environment(variables(&pairs)).finish().unwrap_err();
        assert_eq!(error.problems().len(), 1, "{error}");
        assert_eq!(error.problems()[0].origin, Origin::Variable(name.into()));
        assert!(error.to_string().contains(name), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    let raw = (OsString::from("LETHE__DATA_DIR"), OsString::from_vec(vec![0xff]));
    let error = Loader::new().environment([raw].into_iter()).finish().unwrap_err();
    assert!(error.to_string().contains("LETHE__DATA_DIR"), "{error}");
}

#[test]
fn bad_flags_are_named() {
    let error = Loader::new().set("--listen", "listen", OsStr::new("nowhere")).finish().unwrap_err();
    assert_eq!(error.problems()[0].origin, Origin::Flag("--listen".into()));
}

#[test]
fn backups_have_a_folder_of_their_own() {
    let data = "data_dir = \"/d\"\nmirror.paths = [\"/m/1\"]\n";
    for path in ["", "/d", "/", "/d/db", "/d/db/x", "/d/root", "/m/1", "/m/1/b", "/m"] {
        let (key, line, reason) = problem(load(&format!("{data}backup.path = \"{path}\"")));
        assert_eq!((key.as_str(), line), ("backup.path", Some(3)), "{path}: {reason}");
    }
    for path in ["/b", "/d/backups", "/m/2", "/mm"] {
        let config = load(&format!("{data}backup.path = \"{path}\"")).unwrap();
        assert_eq!(config.backup.path.as_deref(), Some(Path::new(path)));
    }
}

#[test]
fn plaintext_stays_on_loopback() {
    let (key, line, reason) = problem(load("\nlisten = \"0.0.0.0:7443\""));
    assert_eq!((key.as_str(), line), ("listen", Some(2)));
    assert!(reason.contains("loopback"), "{reason}");
    for loopback in ["127.0.0.1:1", "127.8.8.8:1", "[::1]:1"] {
        load(&format!("listen = \"{loopback}\"")).unwrap();
    }
    let by_hand = Config { listen: "[::]:7443".parse().unwrap(), ..Config::default() };
    let error = by_hand.validate().unwrap_err();
    assert_eq!(error.problems()[0].origin, Origin::Given);
    let tls = Some(TlsConfig { cert: "c".into(), key: "k".into(), client_ca: None, client_optional: false });
    let access = Access { second_factor: Some(SecondFactorRule::Off), identity_providers: None };
    Config { tls: tls.clone(), access, ..by_hand }.validate().unwrap();

    // Metrics do so whatever the rest does.
    for loopback in ["127.0.0.1:0", "[::1]:9464"] {
        load(&format!("[metrics]\nlisten = \"{loopback}\"")).unwrap();
    }
    let (key, line, reason) = problem(load("[metrics]\nlisten = \"192.0.2.1:9464\""));
    assert_eq!((key.as_str(), line), ("metrics.listen", Some(2)));
    assert!(reason.contains("loopback"), "{reason}");
    let metrics = Metrics { listen: Some("0.0.0.0:9464".parse().unwrap()) };
    Config { tls, metrics, ..Config::default() }.validate().unwrap_err();
}

#[test]
fn half_of_tls_is_refused() {
    let (key, line, _) =
        problem(load("listen = \"[::]:1\"\n[tls]\ncert = \"c.pem\"\n[access]\nsecond_factor = \"off\""));
    // The key is missing; the line is that of its section's other key.
    assert_eq!((key.as_str(), line), ("tls.key", Some(3)));
    let error = load("[tls]\nclient_ca = \"ca.pem\"").unwrap_err();
    let keys: Vec<_> = error.problems().iter().filter_map(|problem| problem.key.clone()).collect();
    assert_eq!(keys, ["tls.cert", "tls.key"]);
}

#[test]
fn all_problems_are_told_at_once() {
    let error = load("lissten = 1\n[limits]\nqueue = 0\n[log]\nformat = 3").unwrap_err();
    assert_eq!(error.problems().len(), 3, "{error}");
    let text = error.to_string();
    for part in ["`lissten`", "`limits.queue`", "`log.format`", "line 1", "line 3", "line 5"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn paths_of_a_file_count_from_its_folder() {
    let (folder, file) = folder("data_dir = \"data\"\n[root]\nreplicas = [\"r\", \"/mnt/r\"]");
    let config = Loader::new().file(&file).finish().unwrap();
    assert_eq!(config.data_dir, folder.path().join("data"));
    assert_eq!(config.root_replicas(), [folder.path().join("r"), PathBuf::from("/mnt/r")]);
    let pairs = [("LETHE__ROOT__REPLICAS", "a:b/c"), ("LETHE__DATA_DIR", "here")];
    let config = Loader::new().environment(variables(&pairs)).finish().unwrap();
    assert_eq!(config.data_dir, Path::new("here"));
    assert_eq!(config.root_replicas(), [Path::new("a"), Path::new("b/c")]);
}

/// Complete sections, one line each; a test leaves lines out or changes them.
#[test]
fn who_may_take_long_is_waited_for_longer_and_nobody_for_less_than_the_least() {
    for (deadline_ms, seconds) in [(100, 5), (30_000, 5), (60_000, 10), (600_000, 100)] {
        let limits = Limits { deadline_ms, ..Limits::default() };
        assert_eq!(limits.patience(), Duration::from_secs(seconds), "{deadline_ms} ms");
    }
}

const PKCS11: &str = "[pkcs11]\nmodule = \"/m.so\"\ntoken = \"t\"\npin_file = \"/p\"";
const TRANSIT: &str = "[transit]\naddress = \"https://bao:8200\"\nca_file = \"/ca\"\ntoken_file = \"/t\"";
const TPM: &str = "[tpm]\nauth_file = \"/a\"";

#[test]
fn every_root_store_can_be_chosen() {
    for (name, kind, section) in [
        ("file", StoreKind::File, ""),
        ("pkcs11", StoreKind::Pkcs11, PKCS11),
        ("transit", StoreKind::Transit, TRANSIT),
        ("tpm", StoreKind::Tpm, TPM),
    ] {
        assert_eq!(load(&format!("[root]\nstore = \"{name}\"\n{section}")).unwrap().root.store, kind);
        if kind != StoreKind::File {
            let config = load(&format!("[root]\nstore = \"{name}\"\nfrom = \"file\"\n{section}")).unwrap();
            assert_eq!(config.root.from, Some(StoreKind::File));
        }
    }
    let (key, line, reason) = problem(load("[root]\nstore = \"hsm\""));
    assert_eq!((key.as_str(), line), ("root.store", Some(2)));
    assert!(reason.contains("file, pkcs11, transit, tpm"), "{reason}");
    let (key, line, _) = problem(load("[root]\n\nfrom = 3"));
    assert_eq!((key.as_str(), line), ("root.from", Some(3)));
}

#[test]
fn what_a_root_store_cannot_do_without_is_named() {
    for (store, section) in [("pkcs11", PKCS11), ("transit", TRANSIT), ("tpm", TPM)] {
        let lines: Vec<_> = section.lines().collect();
        for left_out in lines.iter().skip(1).filter(|line| !line.starts_with("ca_file")) {
            let rest: Vec<_> = lines.iter().filter(|line| line != &left_out).copied().collect();
            let name = left_out.split(' ').next().unwrap();
            for root in [format!("store = \"{store}\""), format!("from = \"{store}\"")] {
                let (key, _, reason) = problem(load(&format!("[root]\n{root}\n{}", rest.join("\n"))));
                assert_eq!(key, format!("{store}.{name}"));
                assert!(reason.contains(&format!("root store {store} needs it")), "{reason}");
            }
        }
        // Without being used it needs nothing.
        load(lines[0]).unwrap();
    }
}

#[test]
fn what_a_root_store_refuses_is_named_with_its_line() {
    for (store, section, change, key, wanted) in [
        ("pkcs11", PKCS11, "token = \"t \"", "pkcs11.token", "without blanks at the end"),
        ("pkcs11", PKCS11, "name = \"two words\"", "pkcs11.name", "letters, digits"),
        ("transit", TRANSIT, "address = \"http://bao:8200\"", "transit.address", "must begin with https://"),
        ("transit", TRANSIT, "address = \"http://127.0.0.1\"", "transit.ca_file", "has no use"),
        ("transit", TRANSIT, "mount = \"../sys\"", "transit.mount", "letters, digits"),
        ("transit", TRANSIT, "kv_mount = \"a b\"", "transit.kv_mount", "letters, digits"),
        ("transit", TRANSIT, "namespace = \"a//b\"", "transit.namespace", "letters, digits"),
        ("transit", TRANSIT, "name = \"\"", "transit.name", "letters, digits"),
        ("tpm", TPM, "tcti = \"\"", "tpm.tcti", "/dev/tpmrm0"),
        ("tpm", TPM, "first_index = 1", "tpm.first_index", "0x01800000 to 0x01bffff7"),
    ] {
        let changed = change.split(' ').next().unwrap();
        let mut lines: Vec<_> = section.lines().filter(|line| !line.starts_with(&format!("{changed} ="))).collect();
        lines.push(change);
        let (found, line, reason) = problem(load(&format!("[root]\nstore = \"{store}\"\n{}", lines.join("\n"))));
        assert_eq!(found, key, "{reason}");
        assert!(reason.contains(wanted), "{change}: {reason}");
        let of_key = lines.iter().position(|line| line.starts_with(&format!("{} =", key.split_once('.').unwrap().1)));
        assert_eq!(line, of_key.map(|at| at + 3), "{change}");
    }
    let pairs = [
        ("LETHE__ROOT__STORE", "pkcs11"),
        ("LETHE__PKCS11__MODULE", "m.so"),
        ("LETHE__PKCS11__TOKEN", "t"),
        ("LETHE__PKCS11__PIN_FILE", "/p"),
    ];
    let error = Loader::new().environment(variables(&pairs)).finish().unwrap_err();
    assert!(error.to_string().contains("LETHE__PKCS11__MODULE: `pkcs11.module`: must be an absolute path"), "{error}");
}

#[test]
fn values_of_root_stores_have_types() {
    for (text, key, wanted) in [
        ("[pkcs11]\nstands_alone = \"yes\"", "pkcs11.stands_alone", "true or false, found a string"),
        ("[pkcs11]\nserial = 7", "pkcs11.serial", "a string, found an integer"),
        ("[tpm]\nfirst_index = 0x1_0000_0000", "tpm.first_index", "too large"),
        ("[tpm]\nmin_interval_s = -1", "tpm.min_interval_s", "not negative"),
        ("[tpm]\nauth_file = []", "tpm.auth_file", "a string, found an array"),
        ("[root]\nfrom_replicas = \"x\"", "root.from_replicas", "an array of strings"),
        ("[root]\ncredential_file = 1", "root.credential_file", "a string, found an integer"),
        ("[transit]\ntoken = \"s\"", "transit.token", "transit.token_file"),
    ] {
        let (found, line, reason) = problem(load(text));
        assert_eq!((found.as_str(), line), (key, Some(2)), "{text}");
        assert!(reason.contains(wanted), "{text}: {reason}");
    }
}

#[test]
fn a_move_needs_two_places() {
    for (root, key, wanted) in [
        ("from = \"file\"", "root.from", "name root.from_replicas"),
        ("store = \"tpm\"\nfrom = \"tpm\"", "root.from", "is the store that the roots are to be in"),
        (
            "from = \"file\"\nreplicas = [\"/b\", \"/a\"]\nfrom_replicas = [\"/a\"]",
            "root.from_replicas",
            "/a, which root.replicas names, too",
        ),
        ("from = \"file\"\nfrom_replicas = [\"/a\", \"/a\"]", "root.from_replicas", "names /a twice"),
        ("from_replicas = [\"/a\"]", "root.from_replicas", "root.from is not file"),
        ("from = \"tpm\"\nfrom_replicas = [\"/a\"]", "root.from_replicas", "root.from is not file"),
        ("from_credential_file = \"/c\"", "root.from_credential_file", "root.from is not file"),
        ("from_passphrase_file = \"/c\"", "root.from_passphrase_file", "root.from is not file"),
    ] {
        let (found, _, reason) = problem(load(&format!("[root]\n{root}\n{TPM}")));
        assert_eq!(found, key, "{root}: {reason}");
        assert!(reason.contains(wanted), "{root}: {reason}");
    }
}

#[test]
fn files_that_a_vault_comes_from_are_told_from_those_it_goes_to() {
    let of = |root: &str| {
        let config = load(&format!("data_dir = \"/d\"\n[root]\n{root}\n{TPM}")).unwrap();
        let owned = |files: Files<'_>| (files.replicas.clone(), format!("{:?}", files.seal));
        (owned(config.files()), owned(config.files_before()), config.roots_for_people())
    };
    let path = |path: &str| vec![PathBuf::from(path)];
    let credential = |path: &str| format!("Credential({path:?})");
    let passphrase = |path: &str| format!("Passphrase({path:?})");
    let none = || "None".to_owned();

    // To files: what is said of files is said of the new ones, unless it says otherwise.
    let (to, before, people) =
        of("from = \"file\"\nreplicas = [\"/b\"]\nfrom_replicas = [\"/a\"]\ncredential_file = \"/c\"");
    assert_eq!((to, before), ((path("/b"), credential("/c")), (path("/a"), none())));
    assert_eq!(people, "/b; coming from /a");
    let (_, before, _) = of("from = \"file\"\nfrom_replicas = [\"/a\"]\nfrom_credential_file = \"/k\"");
    assert_eq!(before, (path("/a"), credential("/k")));

    // Away from files: nothing else that it could be said of.
    let (_, before, people) = of("store = \"tpm\"\nfrom = \"file\"\nreplicas = [\"/b\"]\ncredential_file = \"/c\"");
    assert_eq!(before, (path("/b"), credential("/c")));
    assert_eq!(people, "TPM device:/dev/tpmrm0, NV indices from 0x018a4c00; coming from /b");
    let (_, before, _) = of("store = \"tpm\"\nfrom = \"file\"");
    assert_eq!(before, (path("/d/root/vault.root"), none()));

    // From one seal to another.
    let (to, before, _) =
        of("from = \"file\"\nreplicas = [\"/b\"]\nfrom_replicas = [\"/a\"]\npassphrase_file = \"/p\"\n\
         from_credential_file = \"/c\"");
    assert_eq!((to.1, before.1), (passphrase("/p"), credential("/c")));
    let (to, before, _) = of("from = \"file\"\nfrom_replicas = [\"/a\"]\nfrom_passphrase_file = \"/p\"");
    assert_eq!((to.1, before.1), (none(), passphrase("/p")));
    let (_, before, _) = of("store = \"tpm\"\nfrom = \"file\"\npassphrase_file = \"/p\"");
    assert_eq!(before.1, passphrase("/p"));
}

#[test]
fn files_are_sealed_under_one_thing() {
    for prefix in ["", "from_"] {
        let both = format!("{prefix}credential_file = \"/c\"\n{prefix}passphrase_file = \"/p\"");
        let text = format!("[root]\nfrom = \"file\"\nfrom_replicas = [\"/a\"]\n{both}");
        let (key, _, reason) = problem(load(&text));
        assert_eq!(key, format!("root.{prefix}passphrase_file"), "{reason}");
        assert!(reason.contains(&format!("root.{prefix}credential_file exclude each other")), "{reason}");
    }
}

/// O31: what people are to show must be asked for; whoever runs a vault on a network without it says so.
#[test]
fn a_second_factor_is_asked_for_where_a_network_leads() {
    let tls = "[tls]\ncert = \"c\"\nkey = \"k\"\n";
    let far = "listen = \"192.0.2.1:7443\"\n";
    let ca = "client_ca = \"a\"\n";
    let asks = |text: &str| load(text).map(|config| config.asks_second_factor()).map_err(|error| error.to_string());
    assert_eq!(asks(""), Ok(false));
    assert_eq!(asks(tls), Ok(false), "on loopback nobody else is in between");
    assert_eq!(asks(&format!("{far}{tls}{ca}")), Ok(true));
    assert_eq!(asks(&format!("{far}{tls}[access]\nsecond_factor = \"off\"")), Ok(false));
    assert_eq!(asks(&format!("{tls}{ca}[access]\nsecond_factor = \"required\"")), Ok(true));
    // Certificates or logins: one way at least is there to show it.
    let providers = "[access]\nidentity_providers = \"p.toml\"\n";
    assert_eq!(asks(&format!("{far}{tls}{providers}")), Ok(true));
    assert_eq!(asks(&format!("{providers}second_factor = \"required\"")), Ok(true));
    assert_eq!(asks(providers), Ok(false));
    for (text, key) in [
        (format!("{far}{tls}"), "access.second_factor"),
        (format!("{tls}[access]\nsecond_factor = \"required\""), "access.second_factor"),
        ("[access]\nsecond_factor = \"required\"".to_owned(), "access.second_factor"),
        ("[access]\nsecond_factor = \"maybe\"".to_owned(), "access.second_factor"),
        (format!("{tls}client_optional = true"), "tls.client_optional"),
        ("[access]\nidentity_providers = \"\"".to_owned(), "access.identity_providers"),
        ("[access]\nidentity_providers = [\"p.toml\"]".to_owned(), "access.identity_providers"),
    ] {
        let refused = asks(&text).unwrap_err();
        assert!(refused.contains(key), "{text}: {refused}");
    }
}
