import pandas as pd

from bank_models.data import packaged
from bank_models.data.derived.messages import message_sentiment, message_signals, negative_messages

RATED = pd.DataFrame({"text": list("abcdef"), "mean_rating": [-3.0, -0.5, -0.49, 0.49, 0.5, 2.0]})


def test_ratings_are_cut_at_half_a_point():
    expected = ["negative", "negative", "neutral", "neutral", "positive", "positive"]
    assert message_sentiment(RATED)["sentiment"].tolist() == expected
    assert message_signals(RATED)["signal"].tolist() == ["sell", "sell", "hold", "hold", "buy", "buy"]
    assert negative_messages(RATED)["is_negative"].tolist() == [1, 1, 0, 0, 0, 0]


def test_the_rating_is_no_feature():
    assert list(packaged.load("vader_tweets", "mood").frame) == ["text", "mood"]


def test_quotes_and_html_in_tweets_are_kept_as_they_are():
    texts = packaged.load("vader_tweets", "mood").frame["text"]
    assert texts[3] == "LMAO, AMAZING!"
    assert texts[2].startswith("We were 17 deep last night &amp; the love")
    assert (len(texts), texts.isna().sum(), texts.str.contains('"').any()) == (4_200, 0, True)
