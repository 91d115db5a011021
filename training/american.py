"""British spellings as American ones, and quotations of sentences in double marks, so that a model trained on text of both learns one.

Words of two meanings (`draught`, `storey`, `disc`) and measures (`tonne`) stay as they are, as does `Labour` with a capital, the party.
"""

import re

OUR = """arbo armo behavio cando clamo colo demeano endeavo favo fervo flavo harbo hono humo labo neighbo odo parlo rigo rumo savio
savo splendo succo tumo valo vapo vigo"""
ISE = """apolog author bapt brutal canon capital categor central character civil colon commercial computer critic crystall
decentral demon destabil digital dramat econom emphas equal external familiar fertil fiscal general global harmon hospital hypnot
immun industrial institutional internal jeopard legal liberal local magnet marginal material maxim mechan memor minim mobil modern
monopol national natural neutral normal normal notar optim organ ostrac patron penal personal plagiar polar priorit privat
pulver radical real recogn rival scandal scrutin secular sensit social special stabil standard steril stigmat subsid summar symbol
sympath synchron terror trivial tyrann urban util vandal victim visual vocal"""
LL = """cancel channel counsel dial duel enamel fuel gravel initial jewel label level marvel model panel quarrel revel rival shovel
signal snorkel spiral swivel towel travel tunnel unravel"""
RE = "calib cent epicent fib lit lust meag met sab somb spect theat"
WORDS = {
    "aeroplane": "airplane", "ageing": "aging", "aluminium": "aluminum", "amongst": "among", "appal": "appall", "burnt": "burned", "cosy": "cozy", "councillor": "councilor", "defence": "defense", "dreamt": "dreamed",
    "enrol": "enroll", "enrolment": "enrollment", "fulfil": "fulfill", "fulfilment": "fulfillment", "grey": "gray", "greyish": "grayish",
    "gruelling": "grueling", "instalment": "installment", "jewellery": "jewelry", "judgement": "judgment", "kerb": "curb", "leant": "leaned",
    "learnt": "learned", "licence": "license", "manoeuvre": "maneuver", "maths": "math", "mould": "mold", "mouldy": "moldy", "moustache": "mustache",
    "offence": "offense", "per cent": "percent", "plough": "plow",
    "ploughed": "plowed", "ploughing": "plowing", "practise": "practice", "practised": "practiced", "practising": "practicing", "pretence": "pretense",
    "programme": "program", "pyjamas": "pajamas", "sceptic": "skeptic", "sceptical": "skeptical", "scepticism": "skepticism", "skilful": "skillful",
    "skilfully": "skillfully", "smouldering": "smoldering", "spelt": "spelled", "spilt": "spilled", "spoilt": "spoiled", "sulphur": "sulfur",
    "tyre": "tire", "whilst": "while", "wilful": "willful", "woollen": "woolen", "yoghurt": "yogurt"}
BEGINNINGS = {"anaesth": "anesth", "diarrhoe": "diarrhe", "foetus": "fetus", "gynaec": "gynec", "haemo": "hemo", "oestr": "estr", "orthopaed": "orthoped",
              "paediatr": "pediatr"}


def among(words):
    """A pattern of any of the words of a list."""
    return "|".join(sorted(words.split(), key=len, reverse=True))


RULES = [
    (re.compile(rf"\b((?:un|dis|re|mis|multi)?(?:{among(OUR)}))ur(?=(?:s|ed|ing|er|ers|able|ably|ful|fully|less|ite|ites|hood|hoods|side|ly|y|al)?\b)", re.I), r"\1r"),
    (re.compile(rf"\b((?:un|dis|re|de|dema)?(?:{among(ISE)})i)s(?=(?:e|ed|es|er|ers|ing|able|ation|ations|ational)\b)", re.I), r"\1z"),
    (re.compile(r"\b((?:re)?(?:anal|catal|electrol|paral)y)s(?=(?:e|ed|er|ers|ing)\b)", re.I), r"\1z"),
    (re.compile(rf"\b({among(LL)})l(?=(?:ed|ing|er|ers)\b)", re.I), r"\1"),
    (re.compile(rf"\b((?:kilo|centi|milli|deci|nano|thermo)?(?:{among(RE)}))re(?=s?\b)", re.I), r"\1er"),
    (re.compile(rf"\b((?:{among(RE)}))red\b", re.I), r"\1ered"),
]
# A quotation in single marks; apostrophes may stand inside. It is left as it is where double marks stand already, and in text that is no
# sentence, such as the labels of a program.
QUOTATION = re.compile(r"(?<!\w)'(?=\S)((?:[^'\"]|(?<=\w)'(?=\w))*?[^\s'\"])'(?!\w)")
BEGUN, ENDED = re.compile(r"^'(?=[A-Z])"), re.compile(r"(?<=[.,!?])'$")
SENTENCE, CODE = re.compile(r"[.!?]['\")]*$"), re.compile(r"[%{}<>=\\_]")
SPELLED = re.compile(rf"\b(?:({'|'.join(sorted(WORDS, key=len, reverse=True))})(s?)\b|({'|'.join(BEGINNINGS)}))", re.I)


def american(text):
    """English text with American spellings and quotation marks."""
    if "'" in text and '"' not in text and SENTENCE.search(text) and not CODE.search(text):
        text = ENDED.sub('"', BEGUN.sub('"', QUOTATION.sub(r'"\1"', text)))
    for pattern, instead in RULES:
        text = pattern.sub(lambda match: match[0] if match[0] == "Labour" else match.expand(instead), text)
    return SPELLED.sub(lambda match: like(match[1] or match[3], WORDS | BEGINNINGS) + (match[2] or ""), text)


def like(word, spellings):
    """The other spelling of a word, with its capitals."""
    other = spellings[word.lower()]
    return other.upper() if word.isupper() else other[0].upper() + other[1:] if word[0].isupper() else other
