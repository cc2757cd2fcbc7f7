// SPDX-License-Identifier: Apache-2.0
//! An index of packages in a folder, so small that an environment is built in a moment: the real uv builds real environments of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use lithouse_testkit::forge::{self, ZipEntry};

use crate::form::Form;
use crate::server::Server;

/// Stands in for a framework of a hundred megabytes: it answers the health question, and whatever else with the app's script.
const TINY_STREAMLIT: &str = r#"
import os, socket, sys
def main(prog_name):
    door = socket.socket()
    door.bind(("127.0.0.1", int(os.environ["PORT"])))
    door.listen(128)
    script = open([word for word in sys.argv if word.endswith(".py")][0]).read()
    print("serving", flush=True)
    while True:
        visitor = door.accept()[0]
        asked = visitor.recv(65536).split(b" ")
        body = b"ok" if len(asked) > 1 and asked[1].endswith(b"/_stcore/health") else script.encode()
        visitor.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        visitor.close()
"#;

/// The requirements of an app of this index.
pub(super) const TINY: &str = "streamlit==9.0\n";

/// Makes the index beside the data folder, and tells the variables with which builds find it and nothing else.
pub(super) fn index(server: &Server) -> [(&'static str, String); 3] {
    let folder = server.folder().join("wheels");
    std::fs::create_dir_all(&folder).unwrap();
    let streamlit = [
        ("streamlit/__init__.py", b"".as_slice()),
        ("streamlit/web/__init__.py", b""),
        ("streamlit/web/cli.py", TINY_STREAMLIT.as_bytes()),
    ];
    wheel(&folder, "streamlit", "9.0", &streamlit);
    for version in 1..=5 {
        let name = format!("tiny-{version}");
        wheel(&folder, "tiny", &version.to_string(), &[("tiny.py", name.as_bytes())]);
    }
    // Of what no compression makes less.
    let mut large = vec![0_u8; 12 << 20];
    let mut state = 1_u64;
    for byte in &mut large {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = state.to_be_bytes()[0];
    }
    wheel(&folder, "large", "1.0", &[("large.dat", &large)]);
    let cache = server.folder().join("cache-of-uv").display().to_string();
    [("UV_FIND_LINKS", folder.display().to_string()), ("UV_NO_INDEX", "1".to_owned()), ("UV_CACHE_DIR", cache)]
}

/// An app with a package of its own that is being built for ever once there is this file beside the data folder.
pub(super) struct EndlessBuild {
    pub(super) has_begun: PathBuf,
    /// Where this is, the build fails at once.
    pub(super) is_broken: PathBuf,
}

impl EndlessBuild {
    pub(super) fn beside(server: &Server) -> Self {
        Self { has_begun: server.folder().join("begun"), is_broken: server.folder().join("broken") }
    }

    pub(super) fn form(&self) -> Form {
        let project = "[project]\nname = \"slow\"\nversion = \"1\"\n[build-system]\nrequires = []\nbuild-backend = \"waits\"\nbackend-path = [\".\"]\n";
        let backend = format!(
            "import os, sys, threading\ndef build_wheel(*_):\n    if os.path.exists({:?}): sys.exit('broken')\n    open({:?}, 'w')\n    \
             threading.Event().wait()\n",
            self.is_broken, self.has_begun
        );
        let entries = [
            ("app.py", "# never\n"),
            ("requirements.txt", &format!("{TINY}./slow\n")),
            ("slow/pyproject.toml", project),
            ("slow/waits.py", &backend),
        ];
        Form::default().file("bundle", "app.zip", forge::zip(&entries.map(|(name, content)| ZipEntry::file(name, content))))
    }
}

fn wheel(folder: &Path, name: &str, version: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let path = folder.join(format!("{name}-{version}-py3-none-any.whl"));
    let info = format!("{name}-{version}.dist-info");
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    let kind = "Wheel-Version: 1.0\nGenerator: lithouse\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let mut all: Vec<(String, &[u8])> = files.iter().map(|(name, content)| ((*name).to_owned(), *content)).collect();
    all.push((format!("{info}/METADATA"), metadata.as_bytes()));
    all.push((format!("{info}/WHEEL"), kind.as_bytes()));
    let itself = format!("{info}/RECORD");
    let names = all.iter().map(|(name, _)| name).chain([&itself]);
    let record: String = names.flat_map(|name| [name.as_str(), ",,\n"]).collect();
    all.push((itself, record.as_bytes()));
    let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for (name, content) in all {
        archive.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap();
    path
}
