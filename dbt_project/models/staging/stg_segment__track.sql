{{ staged_copies('track') }}
