package gateway

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// part is what the gateway reads of a service's OpenAPI document; the rest of it stays as it is.
type part struct {
	Paths      map[string]map[string]json.RawMessage `json:"paths"`
	Components struct {
		Schemas map[string]json.RawMessage `json:"schemas"`
	} `json:"components"`
	Tags []json.RawMessage `json:"tags"`
}

// merge makes one document of the services' parts: the operations of the table, and the schemas that they need.
func merge(table []Route, parts map[string]part, version string) map[string]any {
	chosen := map[string]map[string]json.RawMessage{} // the needed schemas, by service
	type operation struct {
		service, path, method string
		raw                   json.RawMessage
	}
	var operations []operation
	for _, route := range table {
		raw, path := parts[route.Service].operation(route)
		if raw == nil {
			continue
		}
		operations = append(operations, operation{route.Service, path, strings.ToLower(route.Method), raw})
		if chosen[route.Service] == nil {
			chosen[route.Service] = map[string]json.RawMessage{}
		}
		parts[route.Service].need(raw, chosen[route.Service])
	}
	names := rename(chosen)
	schemas := map[string]json.RawMessage{}
	for service, own := range chosen {
		for name, raw := range own {
			schemas[newName(names[service], name)] = repoint(raw, names[service])
		}
	}
	paths := map[string]map[string]json.RawMessage{}
	tags := map[string]bool{}
	for _, op := range operations {
		if paths[op.path] == nil {
			paths[op.path] = map[string]json.RawMessage{}
		}
		paths[op.path][op.method] = repoint(op.raw, names[op.service])
		var labels struct{ Tags []string }
		_ = json.Unmarshal(op.raw, &labels) // an operation without tags has none
		for _, tag := range labels.Tags {
			tags[tag] = true
		}
	}
	listed := []map[string]string{}
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		listed = append(listed, map[string]string{"name": tag})
	}
	return map[string]any{
		"openapi": "3.1.0",
		"info": map[string]any{
			"title": "Hearth", "version": version,
			"description": "Homes, the tasks that keep them in shape, and the people who share them.\n\n" +
				"Errors are `application/problem+json` (RFC 9457) with a stable `code`; `version_conflict` tells the present `version`, " +
				"and `limit_reached` its `trigger_key`, `limit` and `used`. Lists are paged by `cursor`. " +
				"Changing something with `If-Match` refuses with 412 when it has moved on. `X-Timezone` says which day today is.",
		},
		"servers": []map[string]string{{"url": "/", "description": "This server"}},
		"tags":    listed,
		"paths":   paths,
		"components": map[string]any{
			"schemas": schemas,
			"securitySchemes": map[string]any{"token": map[string]string{
				"type": "apiKey", "in": "header", "name": "Authorization",
				"description": "`Token <key>` or `Bearer <key>`, with the token of register or login",
			}},
		},
	}
}

// operation finds a route's operation, whatever the service calls the parameters of its path.
func (p part) operation(route Route) (json.RawMessage, string) {
	wanted := shape(route.Path)
	for path, methods := range p.Paths {
		if raw := methods[strings.ToLower(route.Method)]; raw != nil && shape(path) == wanted {
			return raw, path
		}
	}
	return nil, ""
}

var parameter = regexp.MustCompile(`\{[^/]*\}`)

func shape(path string) string {
	return parameter.ReplaceAllString(strings.TrimSuffix(path, "/"), "{}")
}

const schemaRef = "#/components/schemas/"

var reference = regexp.MustCompile(`"#/components/schemas/([^"]+)"`)

// need adds the schemas that raw refers to, and theirs.
func (p part) need(raw json.RawMessage, into map[string]json.RawMessage) {
	for _, found := range reference.FindAllSubmatch(raw, -1) {
		name := string(found[1])
		schema, there := p.Components.Schemas[name]
		if _, had := into[name]; !there || had {
			continue
		}
		into[name] = schema
		p.need(schema, into)
	}
}

// rename says, by service, which schemas get another name: those that two services call the same and mean differently,
// and those that look the same but refer to such.
func rename(chosen map[string]map[string]json.RawMessage) map[string]map[string]string {
	names := map[string]map[string]string{}
	for service := range chosen {
		names[service] = map[string]string{}
	}
	for changed := true; changed; {
		changed = false
		meanings := map[string]map[string]bool{}
		for service, own := range chosen {
			for name, raw := range own {
				if meanings[name] == nil {
					meanings[name] = map[string]bool{}
				}
				meanings[name][string(repoint(compact(raw), names[service]))] = true
			}
		}
		for service, own := range chosen {
			for name := range own {
				if len(meanings[name]) > 1 && names[service][name] == "" {
					names[service][name] = strings.ToUpper(service[:1]) + service[1:] + name
					changed = true
				}
			}
		}
	}
	return names
}

// compact makes equal schemas equal bytes: members in order, no spaces.
func compact(raw json.RawMessage) json.RawMessage {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return raw
	}
	sorted, err := json.Marshal(value)
	if err != nil {
		return raw
	}
	return sorted
}

func newName(names map[string]string, name string) string {
	if renamed := names[name]; renamed != "" {
		return renamed
	}
	return name
}

// repoint makes raw's references follow the renaming.
func repoint(raw json.RawMessage, names map[string]string) json.RawMessage {
	if len(names) == 0 {
		return raw
	}
	return reference.ReplaceAllFunc(raw, func(found []byte) []byte {
		name := string(found[len(schemaRef)+1 : len(found)-1])
		return []byte(`"` + schemaRef + newName(names, name) + `"`)
	})
}

// undocumented lists the routes that no part describes. The pages for people are no operations.
func undocumented(table []Route, parts map[string]part) (lost []string) {
	for _, route := range table {
		raw, _ := parts[route.Service].operation(route)
		if raw == nil && !strings.HasPrefix(route.Path, "/api/docs/") && route.Path != "/api/openapi.json" {
			lost = append(lost, route.Method+" "+route.Path)
		}
	}
	return lost
}
