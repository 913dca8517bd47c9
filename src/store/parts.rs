//! What an engine goes on from, handed over a part at a time: a hundred thousand open incidents are to be in memory once.

use tokio::sync::mpsc;

use super::StoreError;
use crate::model::EngineState;

/// Parts that wait to be taken; whoever reads them waits, too.
const WAITING: usize = 2;

/// The parts of one state, which whoever opened it alone may change: keyed state first, by kind and key, then groups, then
/// incidents.
#[derive(Debug)]
pub struct Parts {
    coming: mpsc::Receiver<Result<Part, StoreError>>,
    first: Option<EngineState>,
    is_over: bool,
}

/// Where the parts are put in.
#[derive(Clone, Debug)]
pub struct PartSender {
    parts: mpsc::Sender<Result<Part, StoreError>>,
}

/// One that is there, or the word that there is no other: without it something is missing.
#[derive(Debug)]
enum Part {
    Some(EngineState),
    End,
}

impl Parts {
    /// The two ends.
    #[must_use]
    pub fn new() -> (PartSender, Parts) {
        let (parts, coming) = mpsc::channel(WAITING);
        (PartSender { parts }, Parts { coming, first: None, is_over: false })
    }

    /// The next part; `None` once all have been given.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read: what was given before it is not all there is.
    pub async fn next(&mut self) -> Result<Option<EngineState>, StoreError> {
        match self.first.take() {
            Some(first) => Ok(Some(first)),
            None => self.read().await,
        }
    }

    /// A look at the first part, which stays the next one; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be read.
    pub async fn first(&mut self) -> Result<Option<&EngineState>, StoreError> {
        if self.first.is_none() {
            self.first = self.read().await?;
        }
        Ok(self.first.as_ref())
    }

    async fn read(&mut self) -> Result<Option<EngineState>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        match self.coming.recv().await {
            Some(Ok(Part::Some(part))) => Ok(Some(part)),
            Some(Ok(Part::End)) => {
                self.is_over = true;
                Ok(None)
            }
            Some(Err(error)) => Err(error),
            None => Err(StoreError::Failed("the state's reader broke off".into())),
        }
    }
}

impl PartSender {
    /// Adds a part, from a thread that may block; `false` if nobody wants it any more.
    #[must_use]
    pub fn send(&self, part: EngineState) -> bool {
        self.parts.blocking_send(Ok(Part::Some(part))).is_ok()
    }

    /// Says that there are no more, or why they can't be had.
    pub async fn end(self, how: Result<(), StoreError>) {
        // Whoever asked may have gone.
        let _ = self.parts.send(how.map(|()| Part::End)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::group;

    fn part(id: u64) -> EngineState {
        EngineState { groups: vec![group(id)], ..EngineState::default() }
    }

    async fn ids(parts: &mut Parts) -> Vec<u64> {
        let mut ids = Vec::new();
        while let Some(part) = parts.next().await.unwrap() {
            ids.extend(part.groups.iter().map(|group| group.id.0));
        }
        ids
    }

    #[tokio::test]
    async fn a_look_at_the_first_part_takes_nothing_and_the_end_stays_the_end() {
        let (sender, mut parts) = Parts::new();
        let reader = tokio::task::spawn_blocking(move || {
            assert!((1..=5).all(|id| sender.send(part(id))));
            sender
        });
        assert_eq!(parts.first().await.unwrap().unwrap().groups[0].id.0, 1);
        let ending = async { reader.await.unwrap().end(Ok(())).await };
        let ((), ids) = tokio::join!(ending, ids(&mut parts));
        assert_eq!(ids, [1, 2, 3, 4, 5]);
        assert!(parts.next().await.unwrap().is_none() && parts.first().await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_breaks_off_is_not_all_there_is() {
        let (sender, mut parts) = Parts::new();
        drop(sender);
        assert!(parts.next().await.is_err());
        let (sender, mut parts) = Parts::new();
        sender.end(Err(StoreError::Failed("torn".into()))).await;
        assert!(parts.next().await.unwrap_err().to_string().contains("torn"));
    }
}
