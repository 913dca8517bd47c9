//! Texts of rules kept in the data folder: the last good one, for a start with a broken file; and some before it, by
//! which a start judges what came under them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::store::{Store, StoreError, Table};

/// The table, and its keys.
const TABLE: &str = "rules";
const LAST_GOOD: &str = "last_good";
const HISTORY: &str = "history";

/// Texts kept at most, and their bytes together; the newest is kept whatever its size.
const MOST_TEXTS: usize = 16;
const MOST_BYTES: usize = 4 << 20;

/// The texts of a data folder.
pub(super) struct Kept {
    table: Arc<dyn Table>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Text {
    hash: String,
    text: String,
}

impl Kept {
    /// Those in this store.
    pub(super) fn new(store: &dyn Store) -> Kept {
        Kept { table: store.table(TABLE) }
    }

    /// The last text that was in force.
    pub(super) async fn last_good(&self) -> Result<Option<String>, StoreError> {
        self.table.get(LAST_GOOD).await
    }

    /// All that are kept, as (hash, text).
    pub(super) async fn texts(&self) -> Result<Vec<(String, String)>, StoreError> {
        Ok(self.history().await?.into_iter().map(|kept| (kept.hash, kept.text)).collect())
    }

    /// Keeps a text as the newest, before anything is judged by it.
    pub(super) async fn keep(&self, hash: &str, text: &str) -> Result<(), StoreError> {
        let mut history = self.history().await?;
        if history.last().is_none_or(|newest| newest.hash != hash) {
            history.retain(|kept| kept.hash != hash);
            history.push(Text { hash: hash.to_owned(), text: text.to_owned() });
            bound(&mut history);
            self.table.put(HISTORY, &serde_json::to_string(&history).unwrap_or_default()).await?;
        }
        match self.table.get(LAST_GOOD).await? {
            Some(kept) if kept == text => Ok(()),
            _ => self.table.put(LAST_GOOD, text).await,
        }
    }

    /// A record that can't be read costs the judging of what one run left undone, not the start.
    async fn history(&self) -> Result<Vec<Text>, StoreError> {
        let record = self.table.get(HISTORY).await?;
        Ok(record.and_then(|record| serde_json::from_str(&record).ok()).unwrap_or_default())
    }
}

fn bound(history: &mut Vec<Text>) {
    let mut bytes = 0;
    let fits = |kept: &&Text| {
        bytes += kept.text.len();
        bytes <= MOST_BYTES
    };
    let count = history.iter().rev().take(MOST_TEXTS).take_while(fits).count().max(1);
    history.drain(..history.len().saturating_sub(count));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::metrics::Metrics;
    use crate::store::sqlite::{Settings, Sqlite};

    #[tokio::test]
    async fn the_newest_texts_are_kept_each_once_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let settings = Settings::for_testing(folder.path());
            Sqlite::open(settings, Arc::new(Clock::start()), Arc::new(Metrics::new())).unwrap()
        };
        let store = open();
        let kept = Kept::new(&*store);
        assert_eq!((kept.last_good().await.unwrap(), kept.texts().await.unwrap().len()), (None, 0));
        for number in 0..20 {
            kept.keep(&format!("h{number}"), &format!("t{number}")).await.unwrap();
        }
        kept.keep("h10", "t10").await.unwrap();
        store.close().await;
        let store = open();
        let kept = Kept::new(&*store);
        assert_eq!(kept.last_good().await.unwrap().as_deref(), Some("t10"));
        let texts = kept.texts().await.unwrap();
        assert_eq!(texts.len(), MOST_TEXTS);
        assert_eq!(texts.last().unwrap(), &("h10".to_owned(), "t10".to_owned()));
        assert_eq!(texts.iter().filter(|(hash, _)| hash == "h10").count(), 1);
        store.close().await;
    }

    #[test]
    fn large_texts_are_fewer_and_the_newest_is_always_kept() {
        let text = |size: usize| Text { hash: size.to_string(), text: "x".repeat(size) };
        let mut history = vec![text(1), text(MOST_BYTES / 2), text(MOST_BYTES / 2)];
        bound(&mut history);
        assert_eq!(history.len(), 2);
        history.push(text(MOST_BYTES + 1));
        bound(&mut history);
        assert_eq!(history.len(), 1);
    }
}
