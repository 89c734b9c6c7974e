#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Breaks the library in ways that only an unlucky order of threads shows, and
looks whether the explorer sees each of them.

mutants.py libexplorer.a -- COMPILER... LINK-ARGUMENT...: libexplored.a is next to
the other archive, and SOURCE in the environment is the tree. Prints TAP.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ['SOURCE'])
SECONDS = 300
CFLAGS = ['-std=gnu11', '-O1', '-g', '-D_GNU_SOURCE', '-D_FILE_OFFSET_BITS=64',
    '-fsanitize=thread', '-w', '-include',
    f'{SOURCE}/tests/model/this_thread.h', f'-I{SOURCE}/include', f'-I{SOURCE}/src']

# (what is wrong, file, what stands there, what shall, the scenario that sees it)
MUTANTS = [
    ('a handler is counted with release and acquire only', 'range_registry',
     '\tatomic_fetch_add(&handlers, 1);',
     '\tatomic_fetch_add_explicit(&handlers, 1, memory_order_acq_rel);',
     'I3_a_slot_*'),
    ('a range is hidden with release and acquire only', 'range_registry',
     'bool ours = atomic_exchange(&chunk->words[index], 0) != 0;',
     'bool ours = atomic_exchange_explicit(&chunk->words[index], 0,'
     ' memory_order_acq_rel) != 0;',
     'I3_a_slot_*'),
    ('handlers are looked for with acquire only', 'range_registry',
     'atomic_load(&handlers) != 0',
     'atomic_load_explicit(&handlers, memory_order_acquire) != 0',
     'I3_a_slot_*'),
    ('a handler looks at words with acquire only', 'range_registry',
     'uint64_t word = atomic_load(&chunk->words[i]);',
     'uint64_t word = atomic_load_explicit(&chunk->words[i],'
     ' memory_order_acquire);',
     'I3_a_slot_*'),
    ('a handler leaves without release', 'range_registry',
     '\tatomic_fetch_sub(&handlers, 1);',
     '\tatomic_fetch_sub_explicit(&handlers, 1, memory_order_relaxed);',
     'I3_a_slot_*'),
    ('a range is published without release', 'range_registry',
     '\twiden(range->chunk, start, start + length);\n'
     '\tatomic_store(word_of(range), make_word(start, length));\n'
     '\tatomic_store_explicit(&range->pins',
     '\twiden(range->chunk, start, start + length);\n'
     '\tatomic_store_explicit(word_of(range), make_word(start, length),'
     ' memory_order_relaxed);\n'
     '\tatomic_store_explicit(&range->pins',
     'I3_a_slot_*'),
    ('a range is published before it is complete', 'range_registry',
     '\trange->block_size = config->block_size;\n',
     '\tatomic_store(word_of(range), make_word(start, length));\n'
     '\trange->block_size = config->block_size;\n',
     'I3_a_slot_*'),
    ('nobody waits for handlers', 'range_registry',
     '!= 0;\n\twait_for_handlers();', '!= 0;',
     'I3_a_slot_*'),
    ('handlers are waited for before the range is hidden', 'range_registry',
     '\tbool ours = atomic_exchange(&chunk->words[index], 0) != 0;\n'
     '\twait_for_handlers();',
     '\twait_for_handlers();\n'
     '\tbool ours = atomic_exchange(&chunk->words[index], 0) != 0;',
     'I3_a_slot_*'),
    ('the end of a range is one page late', 'range_registry',
     '(word >> COUNT_BITS) < (word & COUNT_MASK)',
     '(word >> COUNT_BITS) <= (word & COUNT_MASK)',
     'I1_*'),
    ('a range is hidden while it grows', 'range_registry',
     '\twiden(range->chunk, start, start + length);\n'
     '\tatomic_store(word_of(range), make_word(start, length));\n'
     '\tfork_lock_give',
     '\twiden(range->chunk, start, start + length);\n'
     '\tatomic_store(word_of(range), 0);\n'
     '\tatomic_store(word_of(range), make_word(start, length));\n'
     '\tfork_lock_give',
     'I1_*'),
    ('a chunk forgets its bounds with any of its ranges', 'range_registry',
     'if (--chunk->live == 0) {', 'if (--chunk->live != 99) {',
     'I1_*'),
    ('a recycled range is still flagged', 'range_registry',
     '\tatomic_fetch_and(&chunk->flagged[index / FLAG_BITS],\n'
     '\t\t~(1UL << index % FLAG_BITS));\n', '',
     'I3_a_slot_*'),
    ('what was pinned may be another map\'s', 'map_generation',
     '\t\tif (atomic_load_explicit(current, memory_order_acquire) == range)\n'
     '\t\t\treturn range;', '\t\treturn range;',
     'I6_a_view_*'),
    ('a range that nobody has pinned is pinned', 'map_generation',
     '\twhile (pins != 0) {', '\tfor (;;) {',
     'I6_a_view_*'),
    ('pins are given back without release and acquire', 'map_generation',
     'atomic_fetch_sub_explicit(&range->pins, 1, memory_order_acq_rel)',
     'atomic_fetch_sub_explicit(&range->pins, 1, memory_order_relaxed)',
     'I6_a_view_*'),
    ('memory is unmapped before it is unregistered', 'map_generation',
     '\tif (range_unregister(generation->range)) {\n'
     '\t\tunmap_in_pieces(mapping);',
     '\tunmap_in_pieces(mapping);\n'
     '\tif (range_unregister(generation->range)) {',
     'I3_I4_*'),
    ('the mark is set after looking at the views', 'map_generation',
     '\tatomic_store(&range->orphaned, true);\n\tfork_lock_give(&lock);\n'
     '\tif (!ours)\n\t\tput_barrier_into_other_threads();\n'
     '\tmap_generation_sweep();',
     '\tfork_lock_give(&lock);\n'
     '\tif (!ours)\n\t\tput_barrier_into_other_threads();\n'
     '\tmap_generation_sweep();\n\tatomic_store(&range->orphaned, true);',
     'I6_a_map_that_another*'),
    ('other threads get no barrier', 'map_generation',
     '\tif (!ours)\n\t\tput_barrier_into_other_threads();\n', '',
     'I6_a_map_that_another*'),
    ('the mark is read before the view is ended', 'map_generation',
     '\tatomic_fetch_sub(&range->views_elsewhere, 1);\n'
     '\tif (atomic_load(&range->orphaned))',
     '\tbool marked = atomic_load(&range->orphaned);\n'
     '\tatomic_fetch_sub(&range->views_elsewhere, 1);\n\tif (marked)',
     'I6_views_of_the_display*'),
    ('views elsewhere end with release and acquire only', 'map_generation',
     '\tatomic_fetch_sub(&range->views_elsewhere, 1);',
     '\tatomic_fetch_sub_explicit(&range->views_elsewhere, 1,'
     ' memory_order_acq_rel);',
     'I6_views_of_the_display*'),
    ('memory is made writable under handlers', 'range_registry',
     'atomic_exchange(&range->prot, prot);\n\twait_for_handlers();',
     'atomic_exchange(&range->prot, prot);',
     'I7_a_repair_*'),
    ('memory is made writable before replacement pages are', 'map_generation',
     '\tint prot = range_change_prot(range, PROT_READ | PROT_WRITE);\n'
     '\tif (client_mapping_make_writable(&generation->mapping) < 0) {',
     '\tint prot = PROT_READ;\n'
     '\tif (client_mapping_make_writable(&generation->mapping) < 0 ||\n'
     '\t\t(range_change_prot(range, PROT_READ | PROT_WRITE), 0)) {',
     'I7_a_repair_*'),
    ('a repair replaces one page too many', 'sigbus_trap',
     'mmap((void *)span.start, span.end - span.start, prot,',
     'mmap((void *)span.start, span.end - span.start + 4096, prot,',
     'I3_I4_*'),
    ('a handler works unseen', 'sigbus_trap',
     '\tbool repaired = range != NULL && repair_range(range, all, address,'
     ' info);\n\trange_handler_leave();',
     '\trange_handler_leave();\n'
     '\tbool repaired = range != NULL && repair_range(range, all, address,'
     ' info);',
     'I7_a_repair_*'),
    ('the display is woken before there is news', 'sigbus_trap',
     '\trange_mark_faulted(range);\n\tif (range->notify_fd >= 0)\n'
     '\t\twake(range->notify_fd);',
     '\tif (range->notify_fd >= 0)\n\t\twake(range->notify_fd);\n'
     '\trange_mark_faulted(range);',
     'I5_every_*'),
    ('the wake-up is cleared after looking', 'map_faults',
     '\t\tif (map == NULL)\n\t\t\treturn;\n',
     '\t\tif (map == NULL) {\n\t\t\tfault_notifier_clear(notifier);\n'
     '\t\t\treturn;\n\t\t}\n',
     'I5_every_*'),
    ('a job does not wake the reaper', 'reaper',
     '\tfork_lock_give(&lock);\n'
     '\tpthread_cond_signal(&wake_worker);\n}',
     '\tfork_lock_give(&lock);\n}',
     'I11_the_reaper_hears*'),
    ('the end does not wake the reaper', 'reaper',
     '\tpthread_cond_signal(&wake_worker);\n'
     '\tfork_lock_give(&lock);\n\tpthread_join',
     '\tfork_lock_give(&lock);\n\tpthread_join',
     'I11_*'),
    ('the reaper says that it runs when it has ended', 'reaper',
     '\tworker_runs = false;\n\tworker_must_end = false;\n'
     '\tpthread_cond_broadcast',
     '\tfork_lock_give(&lock);\n\tfork_lock_take(&lock);\n'
     '\tworker_runs = false;\n\tworker_must_end = false;\n'
     '\tpthread_cond_broadcast',
     'I11_*'),
    ('a spare mapping is made up for before it goes', 'spare_mappings',
     '\tvoid *spare = NULL;\n\tfor', '\tvoid *spare = NULL;\n\treleases++;\n'
     '\tfor', 'spare_*'),
]


def build(directory, name, old, new, explorer, compiler, link_args):
    """The explorer with one thing replaced; None if it does not stand there."""
    text = (SOURCE / 'src' / f'{name}.c').read_text()
    if text.count(old) != 1:
        return None
    text = text.replace(old, new)
    if name == 'spare_mappings':
        text = text.replace('\treleases++;\n\t/* The', '\t/* The')
    source = directory / f'{name}.c'
    source.write_text(text)
    program = directory / 'explore'
    explored = pathlib.Path(explorer).with_name('libexplored.a')
    # Of the archive only what the mutant does not define is taken.
    subprocess.run([*compiler, *CFLAGS, '-c', source, '-o',
        directory / 'mutant.o'], check=True)
    subprocess.run([*compiler, '-o', program, directory / 'mutant.o',
        '-Wl,--whole-archive', explorer, '-Wl,--no-whole-archive', explored,
        *link_args, '-pthread'], check=True)
    return program


def judge(mutant, *tools):
    """What is wrong with how the explorer sees the mutant, or None."""
    _, name, old, new, scenario = mutant
    with tempfile.TemporaryDirectory() as directory:
        try:
            program = build(pathlib.Path(directory), name, old, new, *tools)
        except subprocess.CalledProcessError:
            return 'cannot be built'
        if program is None:
            return f'{name}.c has changed: the mutant must follow'
        try:
            run = subprocess.run([program, scenario], capture_output=True,
                text=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return 'ran out of time'
    if 'not ok' in run.stdout:
        return None
    return f'not seen by {scenario}'


def main(explorer, *rest):
    end = next(i for i, word in enumerate(rest) if word.startswith('-W'))
    compiler, link_args = rest[:end], rest[end:]
    print(f'1..{len(MUTANTS)}')
    good = True
    for number, mutant in enumerate(MUTANTS, 1):
        problem = judge(mutant, explorer, compiler, link_args)
        good = good and problem is None
        print('ok' if problem is None else 'not ok', number, mutant[0],
            flush=True)
        if problem is not None:
            print(f'# {problem}', flush=True)
    return 0 if good else 1


if __name__ == '__main__':
    arguments = sys.argv[1:]
    arguments.remove('--')
    sys.exit(main(*arguments))
