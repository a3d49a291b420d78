package cmdline

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// describe answers the two hidden calls with which a package installs a
// program: --man prints its manual page, --completion SHELL its completion
// script. ok is false if args are neither of them.
func describe(app *cli.App, args []string) (text string, ok bool, err error) {
	switch {
	case len(args) == 1 && args[0] == "--man":
		return pageOf(app).man(app.Version), true, nil
	case len(args) == 2 && args[0] == "--completion":
		text, err = completionScript(app.Name, args[1])
		return text, true, err
	}
	return "", false, nil
}

// completionScript returns the completion script of a program for bash, zsh or fish.
func completionScript(program, shell string) (string, error) {
	scripts := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	script, ok := scripts[shell]
	if !ok {
		return "", Usage("unknown shell %q (want bash, zsh or fish)", shell)
	}
	return fmt.Sprintf(script, program, "_"+strings.ReplaceAll(program, "-", "_")), nil
}

// The scripts ask the program what can follow: they pass the words before the cursor and the
// one at the cursor, which may be empty, and get a line for each candidate: the word, a
// tab, and a note. The line ":files" stands for the names of files.
const (
	bashCompletion = `# bash completion for %[1]s
%[2]s() {
	local word=${COMP_WORDS[COMP_CWORD]} line
	local -a before=("${COMP_WORDS[@]:0:COMP_CWORD}")
	# --flag=value is three words in bash.
	if [[ $word == "=" ]]; then
		word=
	elif [[ ${before[COMP_CWORD-1]} == "=" ]]; then
		unset "before[COMP_CWORD-1]"
	fi
	before[0]=${before[0]/#\~/$HOME}
	COMPREPLY=()
	while IFS= read -r line; do
		if [[ $line == ":files" ]]; then
			compopt -o default
		else
			COMPREPLY+=("${line%%%%$'\t'*}")
		fi
	done < <("${before[@]}" "$word" --generate-bash-completion 2>/dev/null)
}
complete -o nosort -F %[2]s %[1]s
`
	zshCompletion = `#compdef %[1]s
%[2]s() {
	local line files=
	local -a candidates
	for line in "${(@f)$("${(@Q)words[1,CURRENT-1]}" "${(Q)words[CURRENT]}" --generate-bash-completion 2>/dev/null)}"; do
		if [[ $line == ":files" ]]; then
			files=1
		elif [[ $line == *$'\t'?* ]]; then
			candidates+=("${${line%%%%$'\t'*}//:/\\:}:${line#*$'\t'}")
		elif [[ -n $line ]]; then
			candidates+=("${${line%%%%$'\t'*}//:/\\:}")
		fi
	done
	local added=1
	(( $#candidates )) && _describe -V 'candidate' candidates && added=0
	[[ -n $files ]] && _files && added=0
	return added
}
%[2]s "$@"
`
	fishCompletion = `# fish completion for %[1]s
function _%[2]s
	set -l before (commandline -opc)
	set -l word (commandline -ct)
	for line in ($before[1] $before[2..-1] "$word" --generate-bash-completion 2>/dev/null)
		if test "$line" = ":files"
			__fish_complete_path "$word"
		else
			echo $line
		end
	end
end
complete -c %[1]s -f -k -a '(_%[2]s)'
`
)
