package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// repeated tells the path of each field that stands twice in one object of
// data, which is valid JSON. encoding/json takes the last one without a word,
// and mixes the two where they are lists.
func repeated(data []byte, tell func(path string)) {
	tokens := json.NewDecoder(bytes.NewReader(data))
	tokens.UseNumber()
	repeatedIn(tokens, "", tell)
}

// repeatedIn is repeated for the next value of tokens, which stands at path.
func repeatedIn(tokens *json.Decoder, path string, tell func(path string)) {
	next := func() json.Token {
		token, _ := tokens.Token() // valid JSON: there is no error
		return token
	}
	switch next() {
	case json.Delim('{'):
		seen := map[string]bool{}
		for tokens.More() {
			name, _ := next().(string)
			at := under(path, name)
			if seen[name] {
				tell(at)
			}
			seen[name] = true
			repeatedIn(tokens, at, tell)
		}
		next() // the closing brace
	case json.Delim('['):
		for i := 0; tokens.More(); i++ {
			repeatedIn(tokens, fmt.Sprintf("%s[%d]", path, i), tell)
		}
		next() // the closing bracket
	}
}
