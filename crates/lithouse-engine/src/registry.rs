// SPDX-License-Identifier: Apache-2.0
//! All apps by id and by name, and the route table that is made of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use lithouse_core::id::{AppId, Key};
use lithouse_core::route::{AppRoute, RouteTable, Usage};

use crate::app::AppHandle;

#[derive(Default)]
pub(crate) struct Registry {
    apps: Mutex<BTreeMap<AppId, AppHandle>>,
    usage: Mutex<HashMap<AppId, Arc<Usage>>>,
    routes: Arc<ArcSwap<RouteTable>>,
}

impl Registry {
    /// The table that the proxy reads; its content is replaced as a whole.
    pub(crate) fn routes(&self) -> Arc<ArcSwap<RouteTable>> {
        Arc::clone(&self.routes)
    }

    pub(crate) fn insert(&self, handle: &AppHandle) {
        let id = handle.view.borrow().id.clone();
        lock(&self.apps).insert(id, handle.clone());
    }

    pub(crate) fn remove(&self, app: &AppId) {
        lock(&self.apps).remove(app);
        lock(&self.usage).remove(app);
        self.publish();
    }

    /// An app by its id or its key.
    pub(crate) fn find(&self, name: &str) -> Option<AppHandle> {
        let apps = lock(&self.apps);
        if let Ok(id) = name.parse::<AppId>()
            && let Some(handle) = apps.get(&id)
        {
            return Some(handle.clone());
        }
        apps.values().find(|handle| handle.view.borrow().key.as_ref().is_some_and(|key| key.as_str() == name)).cloned()
    }

    /// Whether an app has this name, as its key or in addresses.
    pub(crate) fn is_taken(&self, name: &Key) -> bool {
        lock(&self.apps).values().any(|handle| {
            let view = handle.view.borrow();
            view.key.as_ref() == Some(name) || view.url.as_ref() == Some(name)
        })
    }

    pub(crate) fn get(&self, app: &AppId) -> Option<AppHandle> {
        lock(&self.apps).get(app).cloned()
    }

    pub(crate) fn all(&self) -> Vec<AppHandle> {
        lock(&self.apps).values().cloned().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.apps).is_empty()
    }

    pub(crate) fn usage(&self, app: &AppId) -> Arc<Usage> {
        Arc::clone(lock(&self.usage).entry(app.clone()).or_default())
    }

    /// Makes the route table anew of what every app says of itself.
    pub(crate) fn publish(&self) {
        // The lock is held to the end, so that an older table never replaces a newer one.
        let apps = lock(&self.apps);
        let mut table = RouteTable::default();
        for handle in apps.values() {
            let view = handle.view.borrow();
            let route = Arc::new(AppRoute {
                app: view.id.clone(),
                path_name: view.path_name.clone(),
                title: view.name.clone(),
                target: view.target.clone(),
                usage: self.usage(&view.id),
            });
            let key = view.key.as_ref().map(ToString::to_string);
            table.insert(&route, key.into_iter().chain([view.id.to_string()]));
        }
        self.routes.store(Arc::new(table));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
