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
    apps: Mutex<Apps>,
    usage: Mutex<HashMap<AppId, Arc<Usage>>>,
    routes: Arc<ArcSwap<RouteTable>>,
}

#[derive(Default)]
struct Apps {
    by_id: BTreeMap<AppId, AppHandle>,
    /// A key never changes.
    by_key: HashMap<Key, AppId>,
}

impl Registry {
    /// The table that the proxy reads; its content is replaced as a whole.
    pub(crate) fn routes(&self) -> Arc<ArcSwap<RouteTable>> {
        Arc::clone(&self.routes)
    }

    pub(crate) fn insert(&self, handle: &AppHandle) {
        let view = Arc::clone(&handle.view.borrow());
        let mut apps = lock(&self.apps);
        if let Some(key) = &view.key {
            apps.by_key.insert(key.clone(), view.id.clone());
        }
        apps.by_id.insert(view.id.clone(), handle.clone());
    }

    pub(crate) fn remove(&self, app: &AppId) {
        let mut apps = lock(&self.apps);
        apps.by_id.remove(app);
        apps.by_key.retain(|_, of| of != app);
        drop(apps);
        lock(&self.usage).remove(app);
        self.publish();
    }

    /// An app by its id or its key.
    pub(crate) fn find(&self, name: &str) -> Option<AppHandle> {
        let apps = lock(&self.apps);
        if let Ok(id) = name.parse::<AppId>()
            && let Some(handle) = apps.by_id.get(&id)
        {
            return Some(handle.clone());
        }
        let id = apps.by_key.get(&name.parse::<Key>().ok()?)?;
        apps.by_id.get(id).cloned()
    }

    /// Whether an app has this name, as its key or in addresses.
    pub(crate) fn is_taken(&self, name: &Key) -> bool {
        lock(&self.apps).by_id.values().any(|handle| {
            let view = handle.view.borrow();
            view.key.as_ref() == Some(name) || view.url.as_ref() == Some(name)
        })
    }

    pub(crate) fn get(&self, app: &AppId) -> Option<AppHandle> {
        lock(&self.apps).by_id.get(app).cloned()
    }

    pub(crate) fn all(&self) -> Vec<AppHandle> {
        lock(&self.apps).by_id.values().cloned().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.apps).by_id.is_empty()
    }

    pub(crate) fn usage(&self, app: &AppId) -> Arc<Usage> {
        Arc::clone(lock(&self.usage).entry(app.clone()).or_default())
    }

    /// The same where nothing is made for an app that is gone.
    pub(crate) fn usage_if_any(&self, app: &AppId) -> Option<Arc<Usage>> {
        lock(&self.usage).get(app).cloned()
    }

    /// Makes the route table anew of what every app says of itself.
    pub(crate) fn publish(&self) {
        // The lock is held to the end, so that an older table never replaces a newer one.
        let apps = lock(&self.apps);
        let mut table = RouteTable::default();
        for handle in apps.by_id.values() {
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
