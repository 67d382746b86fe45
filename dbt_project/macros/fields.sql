{#
    The fields of an event, as plain lists: a line is a path in the payload and the type of its
    column. The column's name follows from the path (column_name), its description stands in
    models/segment/_segment__models.yml.

    `timestamp` is a time as text, in any of the formats senders use; `json` keeps a value as it is.
#}

{% macro common_fields() %}
    {# What Segment documents for every call. A column is there from the first day, value or not. #}
    {% set fields %}
        anonymousId                             varchar
        userId                                  varchar
        channel                                 varchar
        version                                 double
        projectId                               varchar
        integrations                            json
        _metadata                               json

        context.active                          boolean
        context.amp.id                          varchar
        context.app.build                       varchar
        context.app.name                        varchar
        context.app.namespace                   varchar
        context.app.version                     varchar
        context.campaign.content                varchar
        context.campaign.id                     varchar
        context.campaign.medium                 varchar
        context.campaign.name                   varchar
        context.campaign.source                 varchar
        context.campaign.term                   varchar
        context.channel                         varchar
        context.consent.categoryPreferences     json
        context.device.adTrackingEnabled        boolean
        context.device.advertisingId            varchar
        context.device.id                       varchar
        context.device.manufacturer             varchar
        context.device.model                    varchar
        context.device.name                     varchar
        context.device.token                    varchar
        context.device.type                     varchar
        context.device.version                  varchar
        context.direct                          boolean
        context.externalIds                     json
        context.groupId                         varchar
        context.instanceId                      varchar
        context.integration.name                varchar
        context.integration.version             varchar
        context.ip                              varchar
        context.library.name                    varchar
        context.library.version                 varchar
        context.locale                          varchar
        context.location.city                   varchar
        context.location.country                varchar
        context.location.latitude               double
        context.location.longitude              double
        context.location.region                 varchar
        context.location.speed                  double
        context.metrics                         json
        context.network.bluetooth               boolean
        context.network.carrier                 varchar
        context.network.cellular                boolean
        context.network.wifi                    boolean
        context.os.name                         varchar
        context.os.version                      varchar
        context.page.path                       varchar
        context.page.referrer                   varchar
        context.page.search                     varchar
        context.page.title                      varchar
        context.page.url                        varchar
        context.personas.computation_class      varchar
        context.personas.computation_id         varchar
        context.personas.computation_key        varchar
        context.personas.event_emitter_id       varchar
        context.personas.namespace              varchar
        context.personas.space_id               varchar
        context.protocols                       json
        context.referrer.btid                   varchar
        context.referrer.id                     varchar
        context.referrer.link                   varchar
        context.referrer.name                   varchar
        context.referrer.type                   varchar
        context.referrer.url                    varchar
        context.referrer.urid                   varchar
        context.screen.density                  double
        context.screen.height                   double
        context.screen.width                    double
        context.timezone                        varchar
        context.traits                          json
        context.userAgent                       varchar
        context.userAgentData.architecture      varchar
        context.userAgentData.bitness           varchar
        context.userAgentData.brands            json
        context.userAgentData.fullVersionList   json
        context.userAgentData.mobile            boolean
        context.userAgentData.model             varchar
        context.userAgentData.platform          varchar
        context.userAgentData.platformVersion   varchar
        context.userAgentData.uaFullVersion     varchar
        context.userAgentData.wow64             boolean
    {% endset %}
    {% do return(fields) %}
{% endmacro %}


{% macro time_fields() %}
    {# The payload's own clock readings; event_times() turns them into columns. #}
    {% set fields %}
        timestamp                               timestamp
        originalTimestamp                       timestamp
        receivedAt                              timestamp
    {% endset %}
    {% do return(fields) %}
{% endmacro %}


{% macro read_fields(fields) %}
    {# The lines of a list of fields as [path, type] pairs. #}
    {% set pairs = [] %}
    {% for line in fields.splitlines() if line.strip() %}
        {% do pairs.append(line.split()) %}
    {% endfor %}
    {% do return(pairs) %}
{% endmacro %}


{% macro column_name(path) %}
    {#
        Stitch's name for a path: snake_case at every level, `__` between levels, a leading
        underscore stays. `context.userAgentData.brands` -> `context__user_agent_data__brands`.
    #}
    {% set names = [] %}
    {% for key in path.split('.') %}
        {% set words = modules.re.findall('[A-Z0-9]+[a-z0-9]*|[a-z0-9]+', key) %}
        {% do names.append(('_' if key.startswith('_') else '') ~ words | join('_') | lower) %}
    {% endfor %}
    {% do return(names | join('__')) %}
{% endmacro %}
