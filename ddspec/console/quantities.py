"""Numbers as people read them."""

from __future__ import annotations

SI = ("", "k", "M", "G", "T", "P", "E", "Z", "Y")
BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def flops(count: int | None) -> str:
    """Return operations with three digits, such as `586 PFLOP`; `-` for none, `?` for unknown."""
    if count is None:
        return "?"
    return "-" if count == 0 else f"{_scaled(count, 1000, SI, 'FLOP')}"


def flops_span(low: int, high: int) -> str:
    """Return a range of operations, its unit said once where it is the same: `21-59 PFLOP`."""
    first, last = flops(low) if low else "0", flops(high)
    if low == high or first == last:
        return last
    same = first.partition(" ")[2] == last.partition(" ")[2]
    return f"{first.partition(' ')[0] if same else first}-{last}"


def size(count: int | None) -> str:
    """Return bytes in powers of 1000, such as `602 MB`; `-` for none, `?` for unknown."""
    if count is None:
        return "?"
    return "-" if count == 0 else _scaled(count, 1000, SI, "B")


def memory(count: int) -> str:
    """Return bytes in powers of 1024, such as `9.2 GiB`; `-` for none."""
    return "-" if count == 0 else _scaled(count, 1024, BINARY, "")


def count(number: int | None) -> str:
    """Return an integer with commas, `?` for unknown."""
    return "?" if number is None else f"{number:,}"


def decimal(number: float) -> str:
    """Return a setting without a needless zero or exponent: `0.0002`, `5`."""
    return f"{number:.12f}".rstrip("0").rstrip(".") if 1e-9 < abs(number) < 1e9 else f"{number:g}"


def brief(number: float) -> str:
    """Return a setting in as few characters as it has digits: `.01`, `1e-3`, `0.1`, `5`.

    >>> brief(0.0002)
    '2e-4'
    """
    if number == 0 or not 1e-9 < abs(number) < 1e9:
        return f"{number:g}"
    if abs(number) >= 0.01:
        plain = f"{number:.12f}".rstrip("0").rstrip(".")
        return plain.replace("0.", ".", 1) if abs(number) < 0.1 else plain
    mantissa, _, exponent = f"{number:.9e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def _scaled(number: int, base: int, units: tuple[str, ...], suffix: str) -> str:
    """Return three significant digits and the unit that leaves one to three before the point."""
    value, at = float(number), 0
    # 999.5 would be printed as 1000.
    while value >= base - base / 2000 and at < len(units) - 1:
        value, at = value / base, at + 1
    digits = 0 if value >= 100 or at == 0 else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {units[at]}{suffix}"
