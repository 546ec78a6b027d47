//! Link previewers: programs that fetch a link to show what it leads to, such as a chat's preview or a search
//! engine's entry. They are not the recipient, so they are not counted and get no file.
//!
//! Anyone can send a previewer's `User-Agent`. It only ever takes something away.

/// The products in the `User-Agent` of link previewers, in lowercase. No browser that people use names them.
///
/// A product is compared as a whole: phones are called `CUBOT_NOTE_S` and `M bot 60`.
const PRODUCTS: [&str; 34] = [
    // Slack: https://api.slack.com/robots
    "slackbot",
    "slackbot-linkexpanding",
    "slack-imgproxy",
    // Teams and Skype: https://opengraphplus.com/consumers/teams/crawling
    "skypeuripreview",
    // Facebook, Instagram and Threads: https://developers.facebook.com/docs/sharing/webmasters/web-crawlers
    // LINE, KakaoTalk and Apple's iMessage send facebookexternalhit too; iMessage adds Facebot and
    // Twitterbot: https://github.com/donatj/PhpUserAgent/issues/71
    "facebookexternalhit",
    "facebookcatalog",
    "facebot",
    "meta-externalagent",
    "meta-externalfetcher",
    // X: https://developer.x.com/en/docs/x-for-websites/cards/guides/getting-started
    "twitterbot",
    // Telegram: https://core.telegram.org/bots/webhooks
    "telegrambot",
    // LinkedIn: https://www.linkedin.com/robots.txt
    "linkedinbot",
    // Discord: https://github.com/monperrus/crawler-user-agents
    "discordbot",
    // Apple's search, Siri and Spotlight: https://support.apple.com/en-us/119829
    "applebot",
    // Google: https://developers.google.com/crawling/docs/crawlers-fetchers/google-common-crawlers and
    // https://developers.google.com/crawling/docs/crawlers-fetchers/google-user-triggered-fetchers
    "googlebot",
    "googlebot-image",
    "googlebot-news",
    "googlebot-video",
    "googleother",
    "google-inspectiontool",
    "google-read-aloud",
    "googlemessages",
    "feedfetcher-google",
    "apis-google",
    "adsbot-google",
    // Bing: https://www.bing.com/webmasters/help/which-crawlers-does-bing-use-8c184ec0
    "bingbot",
    "bingpreview",
    "adidxbot",
    "microsoftpreview",
    // Chats and social networks that companies run, and services that create previews for others:
    // https://github.com/monperrus/crawler-user-agents
    "mattermost-bot",
    "redditbot",
    "pinterestbot",
    "embedly",
    "iframely",
];

/// The products that a previewer's `User-Agent` begins with, in lowercase. A browser within such an app may
/// name the app too, but it begins with `Mozilla`.
///
/// - `WhatsApp`, and Signal, which sends `WhatsApp/2`: <https://github.com/elk-zone/elk/pull/1753>
/// - Viber: <https://github.com/monperrus/crawler-user-agents>
const FIRST_PRODUCTS: [&str; 2] = ["whatsapp", "viber"];

/// Returns whether a `User-Agent` belongs to a link previewer.
#[must_use]
pub fn is_link_previewer(user_agent: &str) -> bool {
    let is_separator = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_');
    let mut products = user_agent.split(is_separator).filter(|product| !product.is_empty());
    let is_in = |list: &[&str], product: &str| list.iter().any(|name| name.eq_ignore_ascii_case(product));
    let is_first = products.clone().next().is_some_and(|product| is_in(&FIRST_PRODUCTS, product));
    is_first || products.any(|product| is_in(&PRODUCTS, product))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn previewers_are_recognized() {
        for user_agent in [
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "Slackbot 1.0 (+https://api.slack.com/robots)",
            "Slack-ImgProxy (+https://api.slack.com/robots)",
            "SkypeUriPreview Preview/0.5",
            "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
            "Mozilla/5.0 (compatible; SkypeUriPreview; +https://www.skype.com)",
            "WhatsApp/2.12.15/i",
            "WhatsApp/2.23.20.0 A",
            "WhatsApp/2",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "facebookexternalhit/1.1;line-poker/1.0",
            "facebookexternalhit/1.1; kakaotalk-scrap/1.0; +https://devtalk.kakao.com/t/scrap/33984",
            "FacebookExternalHit/1.1",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_1) AppleWebKit/601.2.4 (KHTML, like Gecko) \
             Version/9.0.1 Safari/601.2.4 facebookexternalhit/1.1 Facebot Twitterbot/1.0",
            "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
            "Twitterbot/1.0",
            "TelegramBot (like TwitterBot)",
            "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/114.0.5735.179 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "GoogleMessages",
            "FeedFetcher-Google; (+http://www.google.com/feedfetcher.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; \
             +http://www.bing.com/bingbot.htm) Chrome/116.0.1938.76 Safari/537.36",
            "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/534+ (KHTML, like Gecko) BingPreview/1.0b",
            "Mattermost-Bot/1.1",
        ] {
            assert!(is_link_previewer(user_agent), "{user_agent}");
            assert!(is_link_previewer(&user_agent.to_ascii_uppercase()), "{user_agent}, in uppercase");
        }
    }

    #[test]
    fn people_and_tools_are_not_previewers() {
        for user_agent in [
            "",
            "Mozilla/5.0",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Mobile/15E148 [FBAN/FBIOS;FBAV/415.0.0.34.107;FBBV/1;FBDV/iPhone14,5]",
            "Mozilla/5.0 (Linux; Android 13; Pixel 6 Build/TQ3A; wv) AppleWebKit/537.36 (KHTML, like Gecko) \
             Version/4.0 Chrome/116.0 Mobile Safari/537.36 Instagram 300.0.0.29.110 Android",
            "Mozilla/5.0 (Linux; Android 13; wv) AppleWebKit/537.36 Chrome/116.0 Mobile Safari/537.36 WhatsApp/2.23",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148 LinkedInApp/9.29.7439",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Mobile/15E148 Twitter for iPhone/10.10",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Slack/4.35.131 \
             Chrome/120.0 Electron/28.1 Safari/537.36",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Teams/1.6.00 \
             Chrome/108.0 Electron/22 Safari/537.36",
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) discord/1.0.9028 Chrome/108.0",
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Edg/120.0",
            // Phones whose names contain "bot".
            "Mozilla/5.0 (Linux; Android 5.1; CUBOT_NOTE_S Build/LMY47I) AppleWebKit/537.36 Chrome/63.0 Mobile",
            "Mozilla/5.0 (Linux; Android 8.0.0; CUBOT P20) AppleWebKit/537.36 Chrome/70.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Linux; Android 7.0; M bot 60 Build/NRD90M; wv) AppleWebKit/537.36 Chrome/67.0 Mobile",
            "Microsoft Office Outlook",
            "curl/8.5.0",
            "Wget/1.21.3",
            "python-requests/2.31.0",
        ] {
            assert!(!is_link_previewer(user_agent), "{user_agent}");
        }
    }

    #[test]
    fn products_are_in_lowercase_and_unique() {
        let mut products: Vec<&str> = PRODUCTS.into_iter().chain(FIRST_PRODUCTS).collect();
        assert!(products.iter().all(|product| product.to_ascii_lowercase() == *product));
        products.sort_unstable();
        assert!(products.windows(2).all(|pair| pair[0] != pair[1]), "{products:?}");
    }

    proptest! {
        #[test]
        fn any_user_agent_is_classified(user_agent in any::<String>(), n in 0..PRODUCTS.len()) {
            let _ = is_link_previewer(&user_agent);
            let with_product = format!("{user_agent} {}/1.0", PRODUCTS[n]);
            prop_assert!(is_link_previewer(&with_product));
        }
    }
}
