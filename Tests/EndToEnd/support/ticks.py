"""Messages as an exchange sends them, made up but plausible; the same seed makes the same ones."""

import json
import random


def mini_ticker(symbol: str, time: int, price: float) -> str:
    event = {
        "e": "24hrMiniTicker", "E": time, "s": symbol, "c": f"{price:.8f}", "o": f"{price * 0.99:.8f}",
        "h": f"{price * 1.02:.8f}", "l": f"{price * 0.97:.8f}", "v": f"{price * 3.7:.8f}",
        "q": f"{price * price * 3.7:.8f}",
    }
    return json.dumps(event, separators=(",", ":"))


def combined(stream: str, event: str) -> str:
    return f'{{"stream":"{stream}","data":{event}}}'


def mini_tickers(count: int, seed: int = 1, symbols: int = 40) -> list[tuple[str, str]]:
    """Pairs of stream and event, each with a time of its own."""
    random_numbers = random.Random(seed)
    ticks = []
    for number in range(count):
        symbol = f"SYM{number % symbols:03}USDT"
        event = mini_ticker(symbol, 1_665_778_598_000 + number, random_numbers.uniform(0.001, 60_000))
        ticks.append((f"{symbol.lower()}@miniTicker", event))
    return ticks


def odd_events() -> list[tuple[str, str]]:
    """Events that are easy to get wrong by a byte."""
    return [
        ("btcusdt@trade", '{ "e": "trade" ,"E":1665778598001,\t"s":"BTCUSDT","t":12345,"p":"0.10","q":1.10,"m":true }'),
        ("btcusdt@aggTrade", '{"e":"aggTrade","E":1665778598002,"s":"BTCUSDT","a":26129,"p":"0.01","M":null}'),
        ("币安人生usdt@trade", '{"e":"trade","E":1665778598003,"s":"币安人生USDT","t":1,"note":"é😀\\u00e9\\ud83d\\ude00"}'),
        ("btcusdt@depth@100ms", '{"e":"depthUpdate","E":1665778598004,"s":"BTCUSDT","U":1,"u":2,"b":[["1.0","2"]],"a":[]}'),
        ("bnbusdt@bookTicker", '{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}'),
        ("btcusdt@kline_1m", '{"e":"kline","E":1665778598005,"s":"BTCUSDT","k":{"t":1,"o":"1","x":false,"n":1E5,"v":-0.50}}'),
        ("btcusdt@miniTicker", '{"e":"24hrMiniTicker","E":1665778598006,"s":"BTCUSDT","c":"1","o":"1","h":"1","l":"1","v":"1"}'),
        ("btcusdt@miniTicker", '{"e":"24hrMiniTicker","E":1665778598007,"s":"BTCUSDT","c":1.50,"o":"1","h":"1","l":"1","v":"1","q":"1"}'),
        ("xusdt@strange", '{"s":"XUSDT","text":"a \\"quoted\\" \\\\ back\\nslash","deep":[[[{"a":[]}]]],"empty":{}}'),
        ("xusdt@strange", "{}"),
    ]


def events_of(text: str) -> list[tuple[str, str]]:
    """Pairs of stream and event in recorded lines, combined or arrays; the event's own characters."""
    events = []
    decoder = json.JSONDecoder()
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            place = 1
            while line[place] != "]":
                event, end = decoder.raw_decode(line, place)
                assert event["e"] == "24hrMiniTicker"
                events.append((f"{event['s'].lower()}@miniTicker", line[place:end]))
                place = end + (line[end] == ",")
        else:
            start = line.index('"data":') + len('"data":')
            events.append((json.loads(line)["stream"], line[start:-1].strip()))
    return events
