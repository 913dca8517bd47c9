//! Whom a channel stands in for: rows carry a small mark in place of a name. Pure.

use std::num::NonZeroU16;

use crate::model::ChannelName;

/// Stands for a name among [`StandIns`].
pub(crate) type Mark = NonZeroU16;

/// The channels for which this one has stood in since it was opened: as many as `rules.yaml` had at most.
#[derive(Debug, Default)]
pub(crate) struct StandIns {
    names: Vec<ChannelName>,
}

impl StandIns {
    /// The mark of a name; `None` for nobody.
    pub(crate) fn mark(&mut self, name: Option<&ChannelName>) -> Option<Mark> {
        let name = name?;
        let place = self.names.iter().position(|known| known == name).unwrap_or_else(|| {
            self.names.push(name.clone());
            self.names.len() - 1
        });
        u16::try_from(place + 1).ok().and_then(Mark::new)
    }

    /// The name of a mark.
    pub(crate) fn name(&self, mark: Mark) -> Option<&ChannelName> {
        self.names.get(usize::from(mark.get()) - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_mark_and_nobody_has_none() {
        let mut stand_ins = StandIns::default();
        let (ops, oncall) = (ChannelName::new("ops"), ChannelName::new("oncall"));
        assert_eq!(stand_ins.mark(None), None);
        let first = stand_ins.mark(Some(&ops)).unwrap();
        let second = stand_ins.mark(Some(&oncall)).unwrap();
        assert_eq!(stand_ins.mark(Some(&ops)), Some(first));
        assert_eq!((stand_ins.name(first), stand_ins.name(second)), (Some(&ops), Some(&oncall)));
    }
}
