//! Why a push ended: the errcodes of event 0 in groups, in two languages.

use super::{Entry, Words};
use crate::model::Severity;

/// The entry for an errcode; every code, and none at all, has one.
pub(super) fn entry(errcode: Option<i64>) -> &'static Entry {
    match errcode {
        None => &ABSENT,
        Some(1 | 2) => &CLEAN,
        Some(3 | 4 | 35) => &LOST,
        Some(5 | 9 | 10 | 11 | 24 | 38) => &CLOUD,
        Some(6 | 23 | 33) => &CONTENT,
        Some(7 | 39) => &FRAME,
        Some(8 | 20) => &SILENT,
        Some(12..=17) => &NETWORK,
        Some(18 | 19) => &REFUSED,
        Some(21) => &KICKED,
        Some(37) => &UNWATCHED,
        Some(_) => &UNKNOWN,
    }
}

static CLEAN: Entry = Entry {
    severity: Severity::Info,
    unit: None,
    en: Words {
        name: "push stopped normally",
        viewers: "the stream is over",
        cause: "the encoder stopped the push itself",
        fix: "nothing to do, unless it should be live now: then start the push",
        measure: "",
    },
    zh: Words {
        name: "推流正常结束",
        viewers: "直播已结束",
        cause: "推流端主动停止推流",
        fix: "无需处理；如果现在应该在播，请重新推流",
        measure: "",
    },
};

static LOST: Entry = Entry {
    severity: Severity::Critical,
    unit: None,
    en: Words {
        name: "connection closed by the encoder's side",
        viewers: "the stream is down",
        cause: "the encoder crashed or was closed, or its network dropped",
        fix: "see whether the encoder still runs and its network is up, then start the push again",
        measure: "",
    },
    zh: Words {
        name: "推流端断开连接",
        viewers: "直播中断",
        cause: "编码器崩溃或被关闭，或推流端网络断开",
        fix: "确认编码器在运行、网络正常，然后重新推流",
        measure: "",
    },
};

static CLOUD: Entry = Entry {
    severity: Severity::Critical,
    unit: None,
    en: Words {
        name: "push cut by an error inside CSS",
        viewers: "the stream is down",
        cause: "an internal error of the cloud, not of the encoder",
        fix: "start the push again; if it recurs, open a ticket with Tencent Cloud and name the time and the stream",
        measure: "",
    },
    zh: Words {
        name: "云直播内部错误导致断流",
        viewers: "直播中断",
        cause: "云直播侧内部错误，不是推流端的问题",
        fix: "重新推流；反复出现时提交腾讯云工单，附上时间和流名",
        measure: "",
    },
};

static CONTENT: Entry = Entry {
    severity: Severity::Critical,
    unit: None,
    en: Words {
        name: "push cut: bad RTMP data",
        viewers: "the stream is down",
        cause: "the encoder or a relay sends RTMP messages or AMF data that cannot be read",
        fix: "update the encoder or push with OBS or ffmpeg for comparison; check relays in between",
        measure: "",
    },
    zh: Words {
        name: "RTMP 数据错误导致断流",
        viewers: "直播中断",
        cause: "编码器或转推服务发出的 RTMP 消息或 AMF 数据无法解析",
        fix: "升级编码器，或换 OBS、FFmpeg 推流对比；检查中间的转推服务",
        measure: "",
    },
};

static FRAME: Entry = Entry {
    severity: Severity::Critical,
    unit: None,
    en: Words {
        name: "push cut: a frame was too large",
        viewers: "the stream is down",
        cause: "a single frame exceeds the cloud's limit: bitrate or resolution is set far too high",
        fix: "lower the bitrate and use CBR with a VBV buffer (ffmpeg: -maxrate and -bufsize), then push again",
        measure: "",
    },
    zh: Words {
        name: "单帧过大导致断流",
        viewers: "直播中断",
        cause: "单帧超过云直播上限：码率或分辨率设得过高",
        fix: "降低码率，使用 CBR 并限制缓冲（FFmpeg：-maxrate、-bufsize），然后重新推流",
        measure: "",
    },
};

static SILENT: Entry = Entry {
    severity: Severity::Critical,
    unit: None,
    en: Words {
        name: "push cut: no data came",
        viewers: "the stream is down",
        cause: "the connection was open but nothing came for over a minute: encoder hung, or uplink dead",
        fix: "restart the encoder and check the uplink; the cloud cuts a push after 70 s without data",
        measure: "",
    },
    zh: Words {
        name: "长时间无数据导致断流",
        viewers: "直播中断",
        cause: "连接还在，但一分多钟没有数据：编码器卡死或上行网络中断",
        fix: "重启编码器并检查上行网络；云直播 70 秒收不到数据就会断流",
        measure: "",
    },
};

static NETWORK: Entry = Entry {
    severity: Severity::Critical,
    unit: None,
    en: Words {
        name: "push cut by a network error",
        viewers: "the stream is down",
        cause: "the network between the encoder and the cloud failed",
        fix: "check the encoder's uplink (cable, router, firewall) and let the encoder reconnect by itself",
        measure: "",
    },
    zh: Words {
        name: "推流链路网络错误导致断流",
        viewers: "直播中断",
        cause: "编码器到云直播之间的网络出错",
        fix: "检查上行网络（网线、路由器、防火墙），并打开编码器的自动重连",
        measure: "",
    },
};

static REFUSED: Entry = Entry {
    severity: Severity::Critical,
    unit: None,
    en: Words {
        name: "push refused",
        viewers: "the stream is down",
        cause: "authentication failed or expired (txTime, txSecret), the domain or stream is banned, or the account is in arrears",
        fix: "make a new push address with a later txTime; if that does not help, check domain state and bill in the console",
        measure: "",
    },
    zh: Words {
        name: "推流被拒绝",
        viewers: "直播中断",
        cause: "鉴权失败或过期（txTime、txSecret），域名或流被禁用，或账号欠费",
        fix: "重新生成 txTime 更晚的推流地址；仍不行则到控制台检查域名状态和欠费",
        measure: "",
    },
};

static KICKED: Entry = Entry {
    severity: Severity::Warning,
    unit: None,
    en: Words {
        name: "push cut on request or replaced",
        viewers: "the stream is down, or goes on from the other encoder",
        cause: "someone dropped or banned it through the console or API, or another encoder pushes the same key",
        fix: "see that one encoder alone pushes this key; then ask who dropped or banned it",
        measure: "",
    },
    zh: Words {
        name: "推流被断开或被顶替",
        viewers: "直播中断，或由另一路推流接替",
        cause: "有人通过控制台或 API 断流、禁推，或另一个编码器用同一流名推流",
        fix: "确认该流名只有一个编码器在推流；再确认是谁执行了断流或禁推",
        measure: "",
    },
};

static UNWATCHED: Entry = Entry {
    severity: Severity::Warning,
    unit: None,
    en: Words {
        name: "push stopped: nobody watched",
        viewers: "the stream is down, but nobody was watching",
        cause: "the cloud stopped the push because the stream was not played",
        fix: "start the push again when there is an audience, or ask Tencent Cloud to lift this setting",
        measure: "",
    },
    zh: Words {
        name: "无人观看导致断流",
        viewers: "直播中断，当时无人观看",
        cause: "该流没有播放，云直播停止了推流",
        fix: "有观众时重新推流，或联系腾讯云关闭该设置",
        measure: "",
    },
};

static UNKNOWN: Entry = Entry {
    severity: Severity::Warning,
    unit: None,
    en: Words {
        name: "push ended for an unknown reason",
        viewers: "the stream is down",
        cause: "the cloud gives a code that is not documented",
        fix: "see whether the encoder still runs and its network is up, then start the push again",
        measure: "",
    },
    zh: Words {
        name: "推流因未知原因中断",
        viewers: "直播中断",
        cause: "云直播返回了文档中没有的错误码",
        fix: "确认编码器在运行、网络正常，然后重新推流",
        measure: "",
    },
};

static ABSENT: Entry = Entry {
    severity: Severity::Warning,
    unit: None,
    en: Words {
        name: "push ended",
        viewers: "the stream is down",
        cause: "the cloud gives no reason",
        fix: "see whether the encoder still runs and its network is up, then start the push again",
        measure: "",
    },
    zh: Words {
        name: "推流中断",
        viewers: "直播中断",
        cause: "云直播没有给出原因",
        fix: "确认编码器在运行、网络正常，然后重新推流",
        measure: "",
    },
};

#[cfg(test)]
pub(super) const GROUPS: [&Entry; 12] =
    [&CLEAN, &LOST, &CLOUD, &CONTENT, &FRAME, &SILENT, &NETWORK, &REFUSED, &KICKED, &UNWATCHED, &UNKNOWN, &ABSENT];
