# Completes `python -m src.train …` in bash. Hydra's own script knows `python file.py` only; it still gives the candidates.
_src_train() {
    [[ $COMP_LINE == *" -m src.train "* ]] || return
    local line="train ${COMP_LINE#* -m src.train }"
    mapfile -t COMPREPLY < <(COMP_LINE=$line COMP_POINT=${#line} "${COMP_WORDS[0]}" -m src.train --shell-completion query=bash \
        2>/dev/null | tr ' ' '\n')
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=/}
complete -o nospace -o default -F _src_train python python3 .venv/bin/python
