/// The parts of the OpenAPI document that no table of ours holds: the shapes of answers.
enum OpenAPISchemas {
    static let introduction = """
        Recommends room-service items to hotel guests. Every answer from a model says which version gave it \
        (X-Model-Version, model_version), how it was made (strategy) and why not otherwise (fallback_reason). Errors are \
        application/problem+json (RFC 9457). HEAD is answered wherever GET is. An unknown or repeated parameter is an error: \
        a misspelt filter must not pass silently.
        """

    static let headers = #"""
        "X-Request-ID":{"description":"Taken from the request when it is 1 to 128 characters of [A-Za-z0-9._-], else made.",
         "required":true,"schema":{"type":"string","pattern":"^[A-Za-z0-9._-]{1,128}$"}},
        "X-Model-Version":{"description":"The model version that answered.","required":true,
         "schema":{"type":"string","pattern":"^[1-9][0-9]*$"}},
        "X-Experiment":{"description":"Of an answer that an arm of an experiment gave: experiment=arm.",
         "schema":{"type":"string"}}
        """#

    static let schemas = #"""
        "ID":{"type":"string","minLength":1,"maxLength":256,"pattern":"^[^\\u0000]+$",
         "description":"1 to 256 bytes of UTF-8."},
        "IDWithoutComma":{"type":"string","minLength":1,"maxLength":256,"pattern":"^[^\\u0000,]+$",
         "description":"1 to 256 bytes of UTF-8 without a comma; ids with one can be given in a POST."},
        "Attributes":{"type":"object","required":["item_id","name","price","department_id"],"properties":{
         "item_id":{"type":"string"},
         "name":{"type":["string","null"]},
         "price":{"type":["integer","null"],"description":"KRW."},
         "department_id":{"type":["string","null"]}}},
        "Recommendation":{"type":"object","additionalProperties":false,
         "required":["model","model_version","strategy","fallback_reason","items","request_id"],"properties":{
         "user_id":{"type":"string"},
         "item_id":{"type":"string","description":"Of similar items: the item that was asked about."},
         "model":{"type":"string"},
         "model_version":{"type":"integer","minimum":1},
         "experiment":{"type":["string","null"],"description":"Of models with experiments: the one whose arm answered."},
         "arm":{"type":["string","null"],"description":"The arm; null for a guest in none."},
         "strategy":{"enum":["als","fold_in","popular","similar"]},
         "fallback_reason":{"enum":[null,"unknown_user","no_factors","too_few_items"]},
         "items":{"type":"array","maxItems":1000,"description":"Best first, equal scores by item row. Never padded.",
          "items":{"allOf":[{"$ref":"#/components/schemas/Attributes"}],"unevaluatedProperties":false,
          "type":"object","required":["score"],"properties":{
          "score":{"type":"number","description":"An inner product, a cosine or a count of orders, by strategy."},
          "because":{"type":"array","description":"With explain: what carried the score; the contributions sum to explained_score, or without it to score. Empty when no vector ranked.",
           "items":{"type":"object","additionalProperties":false,"required":["item_id","contribution"],"properties":{
           "item_id":{"type":"string"},"contribution":{"type":["number","null"]}}}},
          "explained_score":{"type":"number","description":"With explain, only where it is not the score: the sum of the contributions. The user's vector was imported and is not the fold-in of the history."}}}},
         "request_id":{"type":"string"}}},
        "Scores":{"type":"object","additionalProperties":false,
         "required":["user_id","model","model_version","fallback_reason","scores","request_id"],"properties":{
         "user_id":{"type":"string"},"model":{"type":"string"},"model_version":{"type":"integer","minimum":1},
         "experiment":{"type":["string","null"]},"arm":{"type":["string","null"]},
         "fallback_reason":{"enum":[null,"unknown_user","no_factors"]},
         "scores":{"type":"array","maxItems":1000,"items":{"type":["number","null"]}},
         "request_id":{"type":"string"}}},
        "User":{"type":"object","additionalProperties":false,
         "required":["user_id","known","has_factors","model","model_version","history","request_id"],"properties":{
         "user_id":{"type":"string"},"known":{"type":"boolean"},
         "has_factors":{"type":"boolean","description":"Whether the model has a vector to rank by."},
         "model":{"type":"string"},"model_version":{"type":"integer","minimum":1},
         "history":{"type":"array","items":{"allOf":[{"$ref":"#/components/schemas/Attributes"}],
          "unevaluatedProperties":false,"type":"object","required":["count"],"properties":{
          "count":{"type":"number","description":"How often it was ordered; of imported models, the value given."}}}},
         "request_id":{"type":"string"}}},
        "ModelStatus":{"type":"object",
         "required":["name","default","policy","live","in_place_of","problem","looked_at","aliases","versions"],"properties":{
         "name":{"type":"string"},
         "default":{"type":"boolean","description":"Whether it answers requests that name no model."},
         "policy":{"type":"object","additionalProperties":false,"minProperties":1,"maxProperties":1,"properties":{
          "alias":{"type":"string"},"version":{"type":"integer","minimum":1},"latest":{"type":"integer","minimum":1}}},
         "live":{"type":["integer","null"],"minimum":1,"description":"The version that answers."},
         "in_place_of":{"type":["integer","null"],"minimum":1,
          "description":"The version that the policy wants, while another answers in its place."},
         "problem":{"type":["string","null"],
          "description":"Why the policy cannot be followed at the moment; what is live goes on."},
         "looked_at":{"type":["string","null"],"format":"date-time"},
         "aliases":{"type":"object","additionalProperties":{"type":"integer","minimum":1}},
         "versions":{"type":"array","description":"Newest first.","items":{"type":"object",
          "additionalProperties":false,"required":["version","state","live","since","gate","reason"],"properties":{
          "version":{"type":"integer","minimum":1},"state":{"enum":["available","loading","ready","rejected"]},
          "live":{"type":"boolean"},
          "since":{"type":["string","null"],"format":"date-time"},
          "gate":{"enum":[null,"verify","warm_up","golden","overlap","score_shift","metric","coverage","catalogue"]},
          "reason":{"type":["string","null"],"description":"Why it was rejected."},
          "taken_back":{"type":"object","additionalProperties":false,"required":["gate","reason","at","who","why"],
           "description":"A refusal that an operator took back by promoting the version again; absent once it was compared anew.",
           "properties":{"gate":{"type":"string"},"reason":{"type":["string","null"]},
           "at":{"type":"string","format":"date-time"},"who":{"type":"string"},"why":{"type":"string"}}}}}}}},
        "Models":{"type":"object","additionalProperties":false,"required":["models","request_id"],"properties":{
         "models":{"type":"array","minItems":1,"items":{"allOf":[{"$ref":"#/components/schemas/ModelStatus"}],
          "unevaluatedProperties":false}},
         "request_id":{"type":"string"}}},
        "Model":{"allOf":[{"$ref":"#/components/schemas/ModelStatus"}],"unevaluatedProperties":false,
         "type":"object","required":["request_id"],"properties":{"request_id":{"type":"string"}}},
        "Reload":{"type":"object","additionalProperties":false,"required":["status","models","version","request_id"],
         "properties":{"status":{"enum":["live","accepted"]},"models":{"type":"array","items":{"type":"string"}},
         "version":{"type":["integer","null"],"minimum":1},"request_id":{"type":"string"}}},
        "Manifest":{"type":"object","description":"docs/registry.md describes its members."},
        "Health":{"type":"object","required":["status"],"properties":{"status":{"enum":["alive","ready"]},
         "model":{"type":"string"},"model_version":{"type":"integer","minimum":1},
         "in_place_of":{"type":"integer","minimum":1,
          "description":"The version that the policy wants; absent when that one answers."}}},
        "OpenAPI":{"type":"object","required":["openapi","info","paths"]},
        "Problem":{"type":"object","additionalProperties":false,
         "required":["type","title","status","detail","request_id"],"properties":{
         "type":{"type":"string","pattern":"^urn:nextloop:problem:[a-z-]+$"},"title":{"type":"string"},
         "status":{"type":"integer","minimum":400,"maximum":599},
         "detail":{"type":"string","description":"What was got and what was wanted."},
         "line":{"type":"integer","minimum":1,"description":"Of a bulk request: the line in whose place this stands."},
         "request_id":{"type":"string"}}}
        """#
}
