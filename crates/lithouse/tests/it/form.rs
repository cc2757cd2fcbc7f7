// SPDX-License-Identifier: Apache-2.0
//! `multipart/form-data` as a browser or curl would send it.

const BOUNDARY: &str = "----lithouse-test-boundary-7f3a";

/// A form in the making.
#[derive(Default)]
pub(crate) struct Form(Vec<u8>);

impl Form {
    pub(crate) fn file(mut self, field: &str, file: &str, content: impl AsRef<[u8]>) -> Self {
        self.head(&format!("name=\"{field}\"; filename=\"{file}\"\r\nContent-Type: application/octet-stream"));
        self.0.extend(content.as_ref());
        self.0.extend(b"\r\n");
        self
    }

    pub(crate) fn text(mut self, field: &str, text: &str) -> Self {
        self.head(&format!("name=\"{field}\""));
        self.0.extend(text.as_bytes());
        self.0.extend(b"\r\n");
        self
    }

    /// The two files of an app.
    pub(crate) fn app(requirements: &str, script: &str) -> Self {
        Self::default().file("requirements", "requirements.txt", requirements).file("app", "app.py", script)
    }

    fn head(&mut self, disposition: &str) {
        self.0.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").as_bytes());
    }

    /// The content type and the body.
    pub(crate) fn finish(mut self) -> (String, Vec<u8>) {
        self.0.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={BOUNDARY}"), self.0)
    }
}
