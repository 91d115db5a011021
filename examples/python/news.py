"""Dutch news in English, with a summary: a notebook as one wrote it for transformers 4. Only its import is another.

    python news.py                                          with the models named below, from the Hugging Face hub
    python news.py TRANSLATION-MODEL SUMMARY-MODEL          with others, such as two folders
"""

# %% The one line that changed. It was: from transformers import pipeline
from kortom import pipeline

import sys

# %% Two models
translation_model, summary_model = sys.argv[1:3] or ["Helsinki-NLP/opus-mt-nl-en", "sshleifer/distilbart-cnn-12-6"]
translator = pipeline("translation_nl_to_en", model=translation_model, device=-1)
summarizer = pipeline("summarization", model=summary_model, tokenizer=summary_model, framework="pt", device=-1)

# %% One sentence
print(translator("De brug over de rivier is weer open.")[0]["translation_text"])

# %% A list, with settings
paragraphs = [
    "De brug over de rivier is weer open. Fietsers hoeven niet meer om te rijden.",
    "De bouw heeft twee jaar geduurd. Er was veel vertraging door het hoge water.",
    "De burgemeester knipte een lint door, en een koor zong.",
]
english = [result["translation_text"] for result in translator(paragraphs, num_beams=2, max_length=40, batch_size=8)]
for paragraph in english:
    print("-", paragraph)

# %% Several candidates
for candidate in translator(paragraphs[2], num_beams=4, num_return_sequences=3, max_length=30):
    print("?", candidate["translation_text"])

# %% A summary of it all
summary = summarizer(" ".join(english), max_length=30, min_length=5, do_sample=False, truncation=True)
print("=", summary[0]["summary_text"])

# %% A stream: results come one after the other, and nothing is held
for result in summarizer((text for text in english), max_length=20, no_repeat_ngram_size=2, length_penalty=1.5):
    print("~", result[0]["summary_text"])
