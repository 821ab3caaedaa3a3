"""Medians, their intervals, and tables: what scripts/bench makes of its trials."""
import math
import statistics


def interval(values, confidence=0.95):
    """An interval of the median from the order of the values alone, without a distribution.

    The k-th smallest and k-th largest of n values enclose the median with probability
    1 - 2 P(X < k), X binomial (n, 1/2); the largest k that keeps `confidence` is taken, else k = 1
    (for fewer than six values that is less than 95 %).
    """
    ordered = sorted(values)
    count = len(ordered)
    if count == 0:
        return None
    rank, tail = 1, 0.0
    for k in range(1, count // 2 + 1):
        tail += math.comb(count, k - 1) / 2 ** count
        if 1 - 2 * tail >= confidence:
            rank = k
    return [ordered[rank - 1], ordered[count - rank]]


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def ratios(subject, base, key='framesPerSecond'):
    """One ratio for each pair of trials that were taken one after the other."""
    return [
        mine[key] / theirs[key] for mine, theirs in zip(subject, base)
        if mine and theirs and theirs.get(key) and mine.get(key)]


def merged(trials, path):
    """The median over trials of a value inside them, None where no trial has it."""
    values = []
    for trial in trials:
        value = trial
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, (int, float)):
            values.append(value)
    return median(values)


def medians(trials, key):
    """The medians of a dictionary inside trials, key by key."""
    names = []
    for trial in trials:
        names += [name for name in trial.get(key) or {} if name not in names]
    found = {name: merged(trials, (key, name)) for name in names}
    return {name: value for name, value in found.items() if value is not None} or None


def differences(pairs):
    """By how much CPU time per frame and frames/s differ, as parts of the second of each pair: {key: [part, …]}."""
    return {
        'cpu': [sum(mine['cpuSecondsPerFrame'].values()) / sum(other['cpuSecondsPerFrame'].values()) - 1
                for mine, other in pairs],
        'rate': [mine['framesPerSecond'] / other['framesPerSecond'] - 1 for mine, other in pairs]}


def difference_row(pairs):
    """Median and interval of the differences of pairs, as a part of a row."""
    row = {'pairs': len(pairs)}
    for key, values in differences(pairs).items():
        row[f'{key}Difference'] = median(values)
        row[f'{key}DifferenceInterval'] = interval(values)
    return row


def percent(row, key):
    """A difference as text: +1.2 % [−0.3, +2.0]."""
    value, bounds = row[f'{key}Difference'], row[f'{key}DifferenceInterval']
    if value is None:
        return 'not measured'
    return f'{100 * value:+.1f} % [{100 * bounds[0]:+.1f}, {100 * bounds[1]:+.1f}]'


def short(value, digits=3):
    """A number for a table: 1 234 567, 12.3, 0.0456."""
    if value is None:
        return ''
    if abs(value) >= 1000:
        return f'{value:,.0f}'.replace(',', ' ')
    return f'{value:.{digits}g}'


def ratio_text(value, bounds):
    if value is None:
        return ''
    text = short(value)
    return f'{text} [{short(bounds[0])}, {short(bounds[1])}]' if bounds else text


def table(head, rows):
    """Columns as wide as their widest cell; numbers to the right."""
    cells = [head] + rows
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = []
    for row in cells:
        parts = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))]
        lines.append('  '.join(parts).rstrip())
    lines.insert(1, '  '.join('-' * width for width in widths))
    return '\n'.join(lines)
