//! The words that commands begin with, in both languages, and the nearest one to a slip. Pure.

/// The first word of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verb {
    /// Keep still about something for a while.
    Mute,
    /// Speak again.
    Unmute,
    /// What is muted.
    Mutes,
    /// What is open.
    Incidents,
    /// How a stream does.
    Status,
    /// "I have it."
    Ack,
    /// What is watched for.
    Rules,
    /// How to write commands.
    Help,
    /// Go on with what was asked back.
    Confirm,
}

/// A word this many letters away may be a slip of a longer one; half of the letters at most.
const SLIP: usize = 2;

impl Verb {
    /// All of them, in the order in which help lists them.
    pub const ALL: [Verb; 9] = [
        Verb::Mute,
        Verb::Unmute,
        Verb::Mutes,
        Verb::Incidents,
        Verb::Status,
        Verb::Ack,
        Verb::Rules,
        Verb::Help,
        Verb::Confirm,
    ];

    /// What it is called; help, the audit log and the API say this.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.words()[0]
    }

    /// What it is called in Chinese.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        self.chinese_words()[0]
    }

    /// English words for it, the usual one first.
    fn words(self) -> &'static [&'static str] {
        match self {
            Verb::Mute => &["mute", "silence"],
            Verb::Unmute => &["unmute", "unsilence"],
            Verb::Mutes => &["mutes", "silences"],
            Verb::Incidents => &["incidents", "incident"],
            Verb::Status => &["status", "stream"],
            Verb::Ack => &["ack", "acknowledge"],
            Verb::Rules => &["rules", "rule"],
            Verb::Help => &["help", "start"],
            Verb::Confirm => &["confirm", "yes"],
        }
    }

    /// Chinese words for it, the usual one first.
    fn chinese_words(self) -> &'static [&'static str] {
        match self {
            Verb::Mute => &["静音", "屏蔽"],
            Verb::Unmute => &["取消静音", "解除静音", "取消屏蔽", "解除屏蔽"],
            Verb::Mutes => &["静音列表", "屏蔽列表"],
            Verb::Incidents => &["事件", "告警", "故障"],
            Verb::Status => &["状态", "查询"],
            Verb::Ack => &["认领", "接手", "收到"],
            Verb::Rules => &["规则"],
            Verb::Help => &["帮助"],
            Verb::Confirm => &["确认", "确定"],
        }
    }

    /// The one that a word stands for, whatever its case.
    #[must_use]
    pub fn of(word: &str) -> Option<Verb> {
        let is_it = |verb: &Verb| {
            verb.words().iter().any(|known| known.eq_ignore_ascii_case(word)) || verb.chinese_words().contains(&word)
        };
        Verb::ALL.into_iter().find(is_it)
    }

    /// A Chinese word that a text begins with, the longest, and what follows it: no blank is needed there.
    pub(super) fn at_start(text: &str) -> Option<(Verb, &str)> {
        let all = Verb::ALL.into_iter().flat_map(|verb| verb.chinese_words().iter().map(move |word| (verb, *word)));
        let found = all.filter(|(_, word)| text.starts_with(word)).max_by_key(|(_, word)| word.len())?;
        Some((found.0, &text[found.1.len()..]))
    }

    /// The one that was perhaps meant.
    pub(super) fn near(word: &str) -> Option<Verb> {
        // Longer ones are no slip of any, and comparing them takes time.
        if word.chars().count() > 24 {
            return None;
        }
        let word = word.to_lowercase();
        let all = Verb::ALL
            .into_iter()
            .flat_map(|verb| verb.words().iter().chain(verb.chinese_words()).map(move |known| (verb, *known)));
        let distances = all.map(|(verb, known)| {
            let most = SLIP.min(known.chars().count().min(word.chars().count()) / 2);
            (verb, strsim::damerau_levenshtein(&word, known), most)
        });
        distances.filter(|(_, far, most)| far <= most).min_by_key(|(_, far, _)| *far).map(|(verb, ..)| verb)
    }
}

// A verb that is missing in the list would be known to nobody.
const _: () = assert!(Verb::Confirm as usize + 1 == Verb::ALL.len());
