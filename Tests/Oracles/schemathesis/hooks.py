"""What schemathesis cannot read out of the OpenAPI document."""

import json

import schemathesis


def number(value):
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


@schemathesis.hook
def before_call(context, case, kwargs):
    """Prices the right way round: JSON Schema cannot say that one number is at most another."""
    for values in (case.query, case.body):
        if not isinstance(values, dict):
            continue
        low, high = values.get("min_price"), values.get("max_price")
        if number(low) is not None and number(high) is not None and number(low) > number(high):
            values["min_price"], values["max_price"] = high, low


@schemathesis.serializer("application/x-ndjson")
def ndjson(context, value):
    """A schema of lines is a string; what breaks the schema goes out as JSON."""
    return (value if isinstance(value, str) else json.dumps(value)).encode(errors="surrogatepass")
