// SPDX-License-Identifier: Apache-2.0
//! The top of the file: where the server is, and what it owns.

use std::net::SocketAddr;
use std::path::PathBuf;

use url::Url;

use super::declare::Flag::{Everywhere, Named};
use super::declare::Otherwise::{Found, Text};
use super::declare::section;
use super::reader::{Address, Base, Folder, Maybe};

section! {
    /// Where the server is, and what it owns.
    pub(crate) struct Server in "" {
        /// Address to listen on.
        ///
        /// Where `LITHOUSE_LISTEN` is not set and `PORT` is, it is `0.0.0.0:$PORT`. Port 0 lets the system choose. In the older
        /// `config.json` it is `website_port`, on 127.0.0.1.
        listen: SocketAddr as Address {
            env: &["LITHOUSE_LISTEN", "PORT"],
            flag: Named("listen", "ADDR:PORT"),
            default: Text("127.0.0.1:8080"),
        }
        /// What every link that is printed or returned begins with.
        ///
        /// Without it, links begin with the host of the request.
        public_base: Option<Url> as Maybe<Base> {
            env: &["LITHOUSE_PUBLIC_BASE", "STREAMLIT_HOST_PUBLIC_BASE"],
            flag: Named("public-base", "URL"),
            default: Found("the host of the request", |_| None),
        }
        /// Folder that holds everything the server owns.
        data: PathBuf as Folder {
            env: &["LITHOUSE_DATA", "STREAMLIT_HOST_DATA"],
            flag: Everywhere("data"),
            default: Found("./data", |around| around.folder.join("data")),
        }
    }
}
