// SPDX-License-Identifier: Apache-2.0
//! Files that a run leaves, honest ones and others.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lithouse_engine::snippets::Status;
use serde_json::Value;

use super::lab::{Answer, Lab};

fn files(answer: &Answer) -> Vec<(String, Vec<u8>)> {
    let files = answer.json["output"]["files"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    files.map(|file| (text(&file["name"]), STANDARD.decode(text(&file["data"])).unwrap())).collect()
}

pub(crate) fn links_pipes_and_holes_are_not_collected(lab: &Lab) {
    let answer = lab.run(
        "import os\n\
         def try_to(act, *words):\n    \
             try: act(*words)\n    \
             except OSError as error: print(error)\n\
         open('good', 'w').write('good')\n\
         try_to(os.symlink, '/etc/passwd', 'passwd')\n\
         try_to(os.symlink, '/', 'root')\n\
         try_to(os.mkfifo, 'pipe')\n\
         hole = open('hole', 'wb'); try_to(hole.truncate, 60 << 20); hole.close()\n\
         os.makedirs('1/2/3'); open('1/2/3/deep', 'w').write('deep')\n\
         os.makedirs('1/2/3/4/5'); open('1/2/3/4/5/deeper', 'w').write('deeper')",
    );
    assert_eq!(answer.status, Status::Success, "{:#}", answer.json);
    let mut files = files(&answer);
    files.sort();
    assert_eq!(files, [("1/2/3/deep".to_owned(), b"deep".to_vec()), ("good".to_owned(), b"good".to_vec())], "{:#}", answer.json);
    assert!(answer.json["output"]["truncated"].to_string().contains("files"), "{:#}", answer.json);
}

pub(crate) fn names_of_every_kind_do_no_harm(lab: &Lab) {
    let answer = lab.run(
        "import os\n\
         for name in [b'\\xff\\xfe', b'a\\nb', b'a\\\\b', b'\\x1b[2J', b'..x', b'-rf', b'x' * 255, 'ä\u{202e}'.encode()]:\n    \
             with open(name, 'wb') as file: file.write(b'1')\n\
         for index in range(200):\n    \
             with open(f'many-{index}', 'w') as file: file.write('2')",
    );
    assert_eq!(answer.status, Status::Success, "{:#}", answer.json);
    let files = files(&answer);
    assert_eq!(files.len(), 32);
    assert!(!files.iter().any(|(name, _)| name.contains(|c: char| c.is_control() || c == '\\')), "{files:?}");
    assert!(files.iter().all(|(name, _)| !name.starts_with('/') && !name.split('/').any(|part| part == "..")), "{files:?}");
}

pub(crate) fn nothing_of_a_run_is_there_for_the_next(lab: &Lab) {
    let before = "import os, builtins, sys, json, tempfile\n\
                  builtins.leaked = 1; json.leaked = 1; os.environ['LEAKED'] = '1'; sys.path.append('leaked')\n\
                  for folder in ['.', os.environ['HOME'], tempfile.gettempdir()]:\n    \
                      with open(os.path.join(folder, 'leaked'), 'w') as file: file.write('x')\n\
                  os.makedirs('closed/inner'); os.mkdir('more')\n\
                  try: open('/dev/shm/leaked', 'w').write('x')\n\
                  except OSError: pass";
    let after = "import os, builtins, sys, json, tempfile\n\
                 found = [name for folder in ['.', os.environ['HOME'], tempfile.gettempdir()]\n    \
                     for name in os.listdir(folder) if 'leaked' in name] + ([1] if os.path.exists('/dev/shm/leaked') else [])\n\
                 print(found, hasattr(builtins, 'leaked'), hasattr(json, 'leaked'), 'LEAKED' in os.environ, 'leaked' in sys.path, os.listdir('.'))";
    // More runs than there are slots, so that each is used again.
    for _ in 0..8 {
        assert_eq!(lab.run(before).status, Status::Success);
        assert_eq!(lab.run(after).printed(), "[] False False False False []\n");
    }
}

pub(crate) fn the_disk_of_a_run_is_bounded(lab: &Lab) {
    let answer = lab.run(
        "import os, tempfile\n\
         place = tempfile.gettempdir()\n\
         def fill():\n    \
             for index in range(100):\n        \
                 with open(f'{place}/{index}', 'wb') as file: file.write(b'x' * (1 << 20))\n\
         try: fill()\n\
         except OSError as error: print(error.errno in (28, 122))\n\
         print(40 < len(os.listdir(place)) < 70)",
    );
    assert_eq!(answer.printed(), "True\nTrue\n");
}

pub(crate) fn a_huge_figure_is_bounded(lab: &Lab) {
    let answer = lab
        .run("import matplotlib.pyplot as plt\nplt.figure(figsize=(100000, 100000)); plt.plot([1, 2]); plt.show()\nprint('on')");
    assert!(matches!(answer.status, Status::Success | Status::MemoryLimit), "{:#}", answer.json);
    for chart in answer.json["output"]["charts"].as_array().unwrap() {
        assert!(chart["width"].as_u64().unwrap() * chart["height"].as_u64().unwrap() <= 25_000_000);
    }
    let answer = lab.run("import matplotlib.pyplot as plt\nfor i in range(60): plt.figure(figsize=(1, 1))");
    assert_eq!(answer.status, Status::Success, "{:#}", answer.json["error"]);
    assert_eq!(answer.json["output"]["charts"].as_array().unwrap().len(), 32);
    assert!(answer.json["output"]["truncated"].to_string().contains("charts"));
}
