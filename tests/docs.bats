# SPDX-License-Identifier: MIT
# What the manuals say and what the programs do are the same: options, exit statuses, metrics,
# settings, variables of the environment; each both ways round.

bats_require_minimum_version 1.5.0
load helper

setup() {
    cd "$ROOT" || exit
}

# "NAME MANUAL SOURCE..." of each program.
programs() {
    local file name
    for file in filters/*.c; do
        name=$(basename "$file" .c)
        echo "tl-$name filters/$name.1 $file"
    done
    for name in router supervisor dashboard; do
        echo "tl-$name $name/tl-$name.1 $(echo $name/*.c)"
    done
}

# The words behind .It Fl: "-x" and "--long" one a line. A long option's argument may have any name.
manual_options() {
    awk '/^\.It Fl / { for (i = 3; i <= NF && $i !~ /^(Ar|Cm)$/; i++)
        if ($i != "Fl" && $i != "," && $i != "|" && $i != "Ns") print "-" $i }' "$1" | sort -u
}

# The options in the synopsis of --help and at the beginning of its lines; -gi are two.
help_options() {
    "$1" --help | sed -nE 's/^usage: [^ ]+//p; s/^ +tl-[a-z]+//p; s/^ +(-.)(, --[a-z-]+)? .*/\1\2/p; s/^ +(--[a-z-]+) .*/\1/p' |
        grep -oE '(^|[^a-z-])--?[a-zA-Z][a-zA-Z-]*' | grep -oE -e '-.*' | sort -u | while read -r option; do
        if [[ $option == --* ]]; then
            echo "$option"
        else
            sed 's/./-&\n/g' <<<"${option#-}" | grep .
        fi
    done
}

# Does the program know the option? It may want a value, or an operand; it must know it.
knows() {
    run "$1" "$2" </dev/null
    [[ $output != *"no such option"* ]]
}

# complain WHAT: collect what is wrong; nothing_wrong tells it all at once.
complain() {
    wrong+="$1"$'\n'
}

nothing_wrong() {
    [[ -z ${wrong-} ]] || fail "$wrong"
}

@test "docs: every program has a manual, and the other way round" {
    local name manual sources
    while read -r name manual sources; do
        [ -f "$manual" ] || complain "$name: no $manual"
        [ -x "$TL_BIN/$name" ] || complain "$name: not built"
    done < <(programs)
    for manual in */*.1; do
        [[ $manual != dashboard/tl-report.1 ]] || continue
        programs | grep -qF " $manual " || complain "$manual: of no program"
    done
    nothing_wrong
}

@test "docs: every manual page of a program has its sections" {
    local manual section
    for manual in */*.1; do
        for section in NAME SYNOPSIS DESCRIPTION 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
            grep -qx ".Sh $section" "$manual" || complain "$manual: no $section"
        done
    done
    for manual in */*.[35]; do
        for section in NAME DESCRIPTION EXAMPLES; do
            grep -qx ".Sh $section" "$manual" || complain "$manual: no $section"
        done
    done
    nothing_wrong
}

@test "docs: pages that are referred to exist" {
    local page section manual
    while read -r page section; do
        [[ $page =~ ^(tl-|tagline) ]] || continue
        [ -e "$(echo */"$page.$section")" ] || [ -e "filters/${page#tl-}.$section" ] ||
            complain "$page($section) is referred to, and not there"
    done < <(sed -n 's/^\.Xr \([^ ]*\) \([0-9]\).*/\1 \2/p' */*.[1357] | sort -u)
    nothing_wrong
}

@test "docs: -h, --help and --version work everywhere" {
    local name manual sources
    while read -r name manual sources; do
        run --separate-stderr "$name" --help
        [[ $status == 0 && ${lines[0]} == "usage: $name"* && -z $stderr ]] || complain "$name --help"
        local help=$output
        run "$name" -h
        [[ $status == 0 && $output == "$help" ]] || complain "$name -h"
        run --separate-stderr "$name" --version
        [[ $status == 0 && $output =~ ^$name\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || complain "$name --version"
    done < <(programs)
    nothing_wrong
}

@test "docs: every option of a manual exists" {
    local name manual sources option
    while read -r name manual sources; do
        manual_options "$manual" | grep -q . || complain "$manual: no options at all"
        for option in $(manual_options "$manual"); do
            knows "$name" "$option" || complain "$manual: $option: the program does not know it"
        done
    done < <(programs)
    nothing_wrong
}

@test "docs: every option that a program knows is in its manual" {
    unchecked "a thousand starts take long, and come to nothing"
    local name manual sources option
    while read -r name manual sources; do
        manual_options "$manual" >"$BATS_TEST_TMPDIR/options"
        for option in -{a..z} -{A..Z} \
            $(grep -ohE '\{"[a-z-]+", *(no|required|optional)_argument' $sources | sed 's/{"/--/; s/".*//'); do
            knows "$name" "$option" || continue
            grep -qxF -e "$option" "$BATS_TEST_TMPDIR/options" || complain "$manual: $option is not there"
        done
    done < <(programs)
    nothing_wrong
}

@test "docs: every option that --help shows is in the manual, and the other way round" {
    local name manual sources
    while read -r name manual sources; do
        # Filters need not show the two that all have.
        manual_options "$manual" | sed -E '/^(-h|--help|--version)$/d' >"$BATS_TEST_TMPDIR/manual"
        help_options "$name" |
            sed -E '/^(-h|--help|--version)$/d' | sort -u >"$BATS_TEST_TMPDIR/help"
        diff "$BATS_TEST_TMPDIR/manual" "$BATS_TEST_TMPDIR/help" >"$BATS_TEST_TMPDIR/diff" ||
            complain "$name: manual (<) and --help (>): $(tr '\n' ' ' <"$BATS_TEST_TMPDIR/diff")"
    done < <(programs)
    nothing_wrong
}

# The numbers of the EXIT STATUS section.
manual_statuses() {
    sed -n '/^\.Sh EXIT STATUS/,/^\.Sh [^E]/p' "$1" | sed -n 's/^\.It //p' | tr ', ' '\n\n' | grep -x '[0-9]*'
}

# The constants that these sources end with themselves, not those they tell apart in others.
exits() {
    grep -hE '(tl_die|tl_fail|[^_]exit|return)\b.*EX_' "$@" | grep -oh 'EX_[A-Z]*' | sort -u
}

number_of() {
    awk -v name="$1" '$1 == "#define" && $2 == name { print $3 }' /usr/include/sysexits.h lib/contract.h
}

@test "docs: exit statuses in manuals and programs" {
    local name manual sources status constant
    while read -r name manual sources; do
        manual_statuses "$manual" | sort >"$BATS_TEST_TMPDIR/manual"
        # What it exits with itself must be there, and what every program can meet.
        for constant in EX_OK EX_USAGE EX_IOERR $(exits $sources); do
            status=$(number_of "$constant")
            grep -qx "$status" "$BATS_TEST_TMPDIR/manual" || complain "$manual: $status ($constant) is missing"
        done
        # What is there must be in its sources or the library's.
        for status in $(cat "$BATS_TEST_TMPDIR/manual"); do
            # shellcheck disable=SC2013
            for constant in $(grep -oh 'EX_[A-Z]*\|EXIT_[A-Z_]*' $sources lib/*.[ch] | sort -u); do
                [ "$(number_of "$constant")" != "$status" ] || continue 2
            done
            complain "$manual: $status: nothing exits with it"
        done
    done < <(programs)
    nothing_wrong
}

@test "docs: every metric of lib/metrics.c is in tagline-metrics(5), word for word, and nothing else" {
    tr -s '\n ' ' ' <lib/metrics.c | sed 's/}, /},\n/g; s/" "//g' |
        sed -n 's/.*{METRICS_\([A-Z]*\), "\([a-z_]*\)", \([LCG]\), "\(.*\)", "\(.*\)"},$/\L\1\E \2 \3 \4|\5/p' |
        sed 's/ L / label /; s/ C / counter /; s/ G / gauge /; s/ |/ -|/' >"$BATS_TEST_TMPDIR/code"
    awk '/^\.Ss / { type = $2 }
        /^\.It Li .* Ta / { line = $0; sub(/^\.It Li /, "", line); n = split(line, part, " Ta ")
            sub(/\\-/, "-", part[3]); print type, part[1], part[2], part[3] "|" part[4] }' \
        dashboard/tagline-metrics.5 | sed 's/\\&//g' >"$BATS_TEST_TMPDIR/manual"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/code")" -gt 30 ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/code")" -eq "$(grep -c '{METRICS_' lib/metrics.c)" ]
    diff "$BATS_TEST_TMPDIR/code" "$BATS_TEST_TMPDIR/manual"
}

@test "docs: settings and attributes of tl-flow(5) exist, and those that exist are there" {
    unchecked "valgrind lets nobody set limits of descriptors"
    local word
    cd "$BATS_TEST_TMPDIR"
    for word in $(sed -n 's/^\.It Cm set \([a-z-]*\).*/\1/p' "$ROOT/router/tl-flow.5"); do
        printf 'set %s x\nstart -> end : tl-upper\n' "$word" >f.flow
        run tl-router --check f.flow
        [[ $output != *"set $word: there are"* ]] || complain "set $word does not exist"
    done
    printf 'set nonesuch 1\nstart [nonesuch] -> end : tl-upper\n' >f.flow
    run tl-router --check f.flow
    assert_failure 78
    for word in $(sed -n 's/.*set nonesuch: there are //p' <<<"$output" | tr ',' ' '); do
        grep -q "^\.It Cm set $word" "$ROOT/router/tl-flow.5" || complain "set $word is not in tl-flow(5)"
    done
    for word in $(sed -n 's/.*no such attribute; there are //p' <<<"$output" | tr ',' ' '); do
        [[ $word =~ ^[a-z]+ ]] || continue
        grep -qE "^\.It Cm ${BASH_REMATCH[0]}(=| |$)" "$ROOT/router/tl-flow.5" ||
            complain "[$word] is not in tl-flow(5)"
    done
    for word in $(sed -n '/^The attributes/,/^\.Ss/s/^\.It Cm \([a-z]*\).*/\1/p' "$ROOT/router/tl-flow.5"); do
        case $word in
        timeout) word=timeout=1s ;;
        jobs) word=jobs=2 ;;
        ok) word=ok=0 ;;
        cpu) word=cpu=10s ;;
        mem) word=mem=1G ;;
        files) word=files=64 ;;
        env) word=env=HOME ;;
        read) word='sandbox read=/usr' ;;
        esac
        printf 'start [%s] -> end : tl-upper\n' "$word" >f.flow
        run tl-router --check f.flow
        # A kernel may have no sandbox; the attribute exists all the same.
        [[ $status == 0 || $word == sandbox* && $status == 69 ]] || complain "[$word]: $output"
    done
    nothing_wrong
}

@test "docs: variables of the environment in code and manuals" {
    grep -ohE '"TAGLINE_[A-Z_]+"' ./*/*.[ch] | tr -d '"' | sort -u >"$BATS_TEST_TMPDIR/code"
    grep -ohE '^\.(It )?Ev TAGLINE_[A-Z_]+' ./*/*.[1357] | grep -o 'TAGLINE.*' | sort -u >"$BATS_TEST_TMPDIR/manual"
    [ -s "$BATS_TEST_TMPDIR/code" ]
    diff "$BATS_TEST_TMPDIR/code" "$BATS_TEST_TMPDIR/manual"
}

@test "docs: what one message says of another program is right: -h exists where it is named" {
    local name manual sources
    while read -r name manual sources; do
        run --separate-stderr "$name" --no-such-option </dev/null
        [[ $status == 64 && $stderr == "$name: "*"see $name -h" ]] || complain "$name: $status: $stderr"
    done < <(programs)
    nothing_wrong
}
