use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{ports, program, secret};

/// The root token of servers in memory.
pub const ROOT_TOKEN: &str = "root-of-the-test";

/// What a store needs, and no more: as the documentation of its crate gives it.
const POLICY: &str = r#"
path "transit/keys"                { capabilities = ["list"] }
path "transit/keys/lethe-*"        { capabilities = ["create", "read", "update", "delete"] }
path "transit/encrypt/lethe-*"     { capabilities = ["update"] }
path "transit/decrypt/lethe-*"     { capabilities = ["update"] }
path "secret/data/lethe/roots"     { capabilities = ["create", "read", "update"] }
"#;

/// Where a store with the usual name has its claim.
const REGISTER: &str = "secret/data/lethe/roots";

/// Lets the server's root see what is in its storage: what tests look into, and no store needs.
const RAW: &str = "raw_storage_endpoint = true";

/// A real OpenBao server, on ports of its own: the one behind it is for other nodes of its cluster.
#[derive(Debug)]
pub struct Bao {
    directory: TempDir,
    port: u16,
    root_token: String,
    unseal_key: Option<String>,
    child: Option<Child>,
}

/// The file of a server's configuration.
const CONFIGURATION: &str = "bao.hcl";

fn configured(directory: &Path) -> Vec<String> {
    vec![format!("-config={}", directory.join(CONFIGURATION).display())]
}

/// Waits until a new engine of keys and values is ready: it is mounted before it has versions.
fn settled(is_ready: impl Fn() -> bool) {
    while !is_ready() {
        std::thread::yield_now();
    }
}

impl Bao {
    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Everything in memory: starts fast, and forgets when it is stopped.
    #[must_use]
    pub fn in_memory() -> Self {
        let bao = Self::development(&[]);
        bao.prepare();
        bao
    }

    /// Another server in memory, with what this one has in its storage: as of a snapshot.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::in_memory();
        let to = copy.engine();
        for (path, value) in self.stored() {
            copy.api("POST", &format!("sys/raw/{to}{path}"), &json!({ "value": value }));
        }
        let (status, register) = self.try_api("GET", REGISTER, &Value::Null);
        if status == 200 {
            copy.api("POST", REGISTER, &json!({ "data": register["data"]["data"] }));
        }
        copy
    }

    /// Every entry of the transit engine in the server's storage, by its path there: keys, and the archives of their
    /// versions. It is what the server itself reads, behind its own encryption.
    #[must_use]
    pub fn stored(&self) -> Vec<(String, String)> {
        let engine = self.engine();
        let (mut folders, mut stored) = (vec![String::new()], Vec::new());
        while let Some(folder) = folders.pop() {
            let (_, listed) = self.try_api("LIST", &format!("sys/raw/{engine}{folder}"), &Value::Null);
            for name in listed["data"]["keys"].as_array().into_iter().flatten() {
                let path = format!("{folder}{}", name.as_str().unwrap());
                if path.ends_with('/') {
                    folders.push(path);
                    continue;
                }
                // It may have been deleted meanwhile.
                let (_, entry) = self.try_api("GET", &format!("sys/raw/{engine}{path}"), &Value::Null);
                stored.extend(entry["data"]["value"].as_str().map(|value| (path, value.to_owned())));
            }
        }
        stored
    }

    /// Where the transit engine has its entries.
    fn engine(&self) -> String {
        let mount = self.api("GET", "sys/mounts/transit", &Value::Null);
        format!("logical/{}/", mount["data"]["uuid"].as_str().unwrap())
    }

    /// In memory, with TLS; its authority is in [`Bao::ca_file`].
    #[must_use]
    pub fn with_tls() -> Self {
        let bao = Self::development(&["-dev-tls"]);
        let run = |arguments: &[&str]| {
            let mut command = Command::new(program("bao"));
            command.args(arguments).env("BAO_ADDR", format!("https://127.0.0.1:{}", bao.port));
            command.env("BAO_CACERT", bao.ca_file()).env("BAO_TOKEN", ROOT_TOKEN).output().unwrap()
        };
        let enabled = run(&["secrets", "enable", "transit"]);
        assert!(enabled.status.success(), "{}", String::from_utf8_lossy(&enabled.stderr));
        settled(|| run(&["read", "secret/config"]).status.success());
        secret(&bao.token_file(), ROOT_TOKEN);
        bao
    }

    fn development(more: &[&str]) -> Self {
        Self::somewhere(ROOT_TOKEN, |directory, port| {
            fs::write(directory.join(CONFIGURATION), RAW).unwrap();
            let mut arguments = configured(directory);
            arguments.extend([
                "-dev".to_owned(),
                "-dev-no-store-token".to_owned(),
                format!("-dev-root-token-id={ROOT_TOKEN}"),
                format!("-dev-listen-address=127.0.0.1:{port}"),
            ]);
            if more.contains(&"-dev-tls") {
                arguments.push(format!("-dev-tls-cert-dir={}", directory.display()));
            }
            arguments.extend(more.iter().map(|&argument| argument.to_owned()));
            arguments
        })
    }

    /// Launched with what `arguments` gives for a folder and a port, the next of which is free, too.
    fn somewhere(root_token: &str, arguments: impl Fn(&Path, u16) -> Vec<String>) -> Self {
        let mut said = String::new();
        for _ in 0..ports::TRIES {
            let (directory, port) = (tempfile::tempdir().unwrap(), ports::free(8_000..20_000));
            let arguments = arguments(directory.path(), port);
            let mut bao = Self { directory, port, root_token: root_token.to_owned(), unseal_key: None, child: None };
            match bao.launch(&arguments) {
                Ok(()) => return bao,
                Err(all) => said = all,
            }
        }
        panic!("the server does not start:\n{said}");
    }

    /// With storage on disk, and a seal: what a server that is killed comes back with.
    #[must_use]
    pub fn on_disk() -> Self {
        let mut bao = Self::somewhere("", |directory, port| {
            let configuration = format!(
                r#"storage "raft" {{
                    path = "{}"
                    node_id = "one"
                }}
                listener "tcp" {{
                    address = "127.0.0.1:{port}"
                    tls_disable = true
                }}
                api_addr = "http://127.0.0.1:{port}"
                cluster_addr = "http://127.0.0.1:{}"
                {RAW}"#,
                directory.display(),
                port + 1
            );
            fs::write(directory.join(CONFIGURATION), configuration).unwrap();
            configured(directory)
        });
        let made = bao.api("PUT", "sys/init", &json!({ "secret_shares": 1, "secret_threshold": 1 }));
        bao.root_token = made["root_token"].as_str().unwrap().to_owned();
        bao.unseal_key = Some(made["keys_base64"][0].as_str().unwrap().to_owned());
        bao.unseal();
        bao.api("POST", "sys/mounts/secret", &json!({ "type": "kv", "options": { "version": "2" } }));
        bao.prepare();
        bao
    }

    /// Starts it again, with its configuration.
    pub fn start(&mut self) {
        let started = self.launch(&configured(self.directory.path()));
        started.unwrap_or_else(|said| panic!("the server did not start:\n{said}"));
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops it where it is: it is there, and answers nothing.
    pub fn hang(&self) {
        crate::signal(self.child.as_ref(), Signal::STOP);
    }

    /// It goes on.
    pub fn go_on(&self) {
        crate::signal(self.child.as_ref(), Signal::CONT);
    }

    /// Unseals it, and waits until it is active.
    pub fn unseal(&self) {
        let key = self.unseal_key.as_ref().unwrap();
        self.api("PUT", "sys/unseal", &json!({ "key": key }));
        // Unsealed is not yet active: a node of a cluster of one must first elect itself.
        while self.try_api("GET", "sys/health", &Value::Null).0 != 200 {
            std::thread::yield_now();
        }
    }

    /// Starts it, or gives what it said instead.
    fn launch(&mut self, arguments: &[String]) -> Result<(), String> {
        let mut child = Command::new(program("bao"))
            .arg("server")
            .args(arguments)
            .env("HOME", self.directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        self.child = Some(child);
        let mut all = String::new();
        while !all.contains("server started!") {
            if said.read_line(&mut all).unwrap() == 0 {
                self.kill();
                return Err(all);
            }
        }
        // Whatever it has to say later must not stop it.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Ok(())
    }

    /// The engine, the policy, and a token that may do what the policy says and no more.
    fn prepare(&self) {
        settled(|| self.try_api("GET", "secret/config", &Value::Null).0 == 200);
        self.api("POST", "sys/mounts/transit", &json!({ "type": "transit" }));
        self.allow();
        self.renew_token();
    }

    /// Puts the policy in force, with nothing forbidden.
    pub fn allow(&self) {
        self.api("PUT", "sys/policies/acl/lethe", &json!({ "policy": POLICY }));
    }

    /// Takes the right to delete keys away from whoever uses the server.
    pub fn forbid_deletion(&self) {
        let policy = POLICY.replace(", \"delete\"", "");
        self.api("PUT", "sys/policies/acl/lethe", &json!({ "policy": policy }));
    }

    /// Names of the keys of an engine.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let (status, answer) = self.try_api("LIST", "transit/keys", &Value::Null);
        let names = answer["data"]["keys"].as_array().cloned().unwrap_or_default();
        assert!(status == 200 || status == 404, "{status} {answer}");
        names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
    }

    /// Another token of the policy, in the token file.
    pub fn renew_token(&self) -> String {
        let policies = json!({ "policies": ["lethe"], "no_default_policy": true });
        let made = self.api("POST", "auth/token/create", &policies);
        let token = made["auth"]["client_token"].as_str().unwrap().to_owned();
        secret(&self.token_file(), format!("{token}\n"));
        token
    }

    /// Where the token of whoever uses it is.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.directory.path().join("token")
    }

    /// The authority of its certificate.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("vault-ca.pem")
    }

    /// An API call as the server's root, which must succeed.
    pub fn api(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, answer) = self.try_api(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// An API call as the server's root: status and answer.
    pub fn try_api(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} /v1/{path} HTTP/1.0\r\nX-Vault-Token: {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.root_token,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }
}

impl Drop for Bao {
    fn drop(&mut self) {
        self.kill();
    }
}
