{{ relation_of('page', 'pages') }}
